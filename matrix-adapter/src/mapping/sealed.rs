//! A sealed request as JSON: `{kem_output, ciphertext}`.

use mls_core::wire::sealed::SealedRequest;
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for SealedRequest {
    fn to_json(&self) -> Value {
        object([
            ("kem_output", self.kem_output.to_json()),
            ("ciphertext", self.ciphertext.to_json()),
        ])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { kem_output: fields.take("kem_output")?, ciphertext: fields.take("ciphertext")? })
    }
}
