//! What people carry from one device to another, or to each other, as one line of text: a name, a version, and base64url.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use mls_core::transparency::LogEvidence;
use mls_core::user_identity::{DeviceRequest, DeviceStatement, ScannedKeys};
use mls_rs_codec::{MlsDecode, MlsEncode};

/// Something that travels as a line.
pub(crate) trait Carried: MlsEncode + MlsDecode {
    /// Begins the line.
    const NAME: &'static str;
    /// A longer line is none of ours.
    const LINE_BYTES_MAX: usize = 8 * 1024;

    /// The line.
    fn to_line(&self) -> String {
        // What is carried has no part that could be too long for its encoding.
        let bytes = self.mls_encode_to_vec().unwrap_or_default();
        format!("{}:0:{}", Self::NAME, BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads a line; the error is one sentence.
    fn from_line(line: &str) -> Result<Self, String> {
        let wrong = || format!("this is no line that begins with {}:0: and is whole", Self::NAME);
        let line = Some(line.trim()).filter(|line| line.len() <= Self::LINE_BYTES_MAX);
        let rest = line.and_then(|line| line.strip_prefix(Self::NAME)?.strip_prefix(":0:"));
        let bytes = rest.and_then(|rest| BASE64_URL_SAFE_NO_PAD.decode(rest).ok());
        let bytes = bytes.ok_or_else(wrong)?;
        let mut rest = bytes.as_slice();
        let read = Self::mls_decode(&mut rest).map_err(|_| wrong())?;
        if rest.is_empty() { Ok(read) } else { Err(wrong()) }
    }
}

impl Carried for DeviceRequest {
    const NAME: &'static str = "mls-device-request";
}

impl Carried for DeviceStatement {
    const NAME: &'static str = "mls-device-statement";
}

impl Carried for ScannedKeys {
    const NAME: &'static str = "mls-verify";
}

impl Carried for LogEvidence {
    const NAME: &'static str = "mls-log-evidence";
    /// Two heads, and up to four certificates with each.
    const LINE_BYTES_MAX: usize = 32 * 1024;
}

#[cfg(test)]
mod tests {
    use mls_core::address::UserId;
    use mls_core::user_identity::Ed25519Key;

    use super::*;

    #[test]
    fn a_line_comes_back_and_a_cut_or_another_one_is_refused() {
        let client = UserId::matrix("@a:b.org").unwrap().device("PHONE").unwrap();
        let request = DeviceRequest { client, device_key: Ed25519Key([7; 32]) };
        let line = request.to_line();
        assert_eq!(DeviceRequest::from_line(&format!(" {line}\n")), Ok(request));
        for wrong in ["", "mls-device-request:0:", &line[..line.len() - 2], &line[1..]] {
            assert!(DeviceRequest::from_line(wrong).is_err(), "{wrong}");
        }
        assert!(ScannedKeys::from_line(&line).is_err());
        assert!(DeviceRequest::from_line(&format!("{line}AAAA")).is_err());
    }
}
