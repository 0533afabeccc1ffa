//! `mls-bridge authority request`: asks for a certificate of a key in a token (PKCS #10, RFC 2986).

use std::sync::Arc;

use mls_core::authority::ForRcgen;
use rcgen::{CertificateParams, DistinguishedName, DnType};

use super::make::{MakeError, write};
use super::token::TokenKey;
use crate::command_line::RequestArguments;
use crate::config::Token;

/// The name of what is written.
const REQUEST: &str = "request.pem";

/// Has the token sign a request, and says what to do with it.
pub fn make_request(arguments: &RequestArguments) -> Result<String, MakeError> {
    let place = Token {
        module: arguments.module.clone(),
        token: arguments.token.clone(),
        key: arguments.key.clone(),
        pin_file: arguments.pin_file.clone(),
    };
    let key = ForRcgen(Arc::new(TokenKey::open(&place).map_err(MakeError::Token)?));
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, place.key);
    let request = params.serialize_request(&key)?.pem()?;
    write(&arguments.out, &[(REQUEST, &request)])?;
    let file = arguments.out.join(REQUEST);
    let file = file.display();
    Ok(format!(
        "The request is {file}. Next: take it to the root, and there mls-bridge authority intermediate \
         --root DIR --name NAME --request {REQUEST} --out DIR\n"
    ))
}
