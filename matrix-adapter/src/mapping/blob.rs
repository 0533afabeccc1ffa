//! Blobs as JSON: a part is base64 text, or `{"blob": {"sha256", "size"}}`.

use mls_core::wire::blob::{BlobChunk, BlobRef, GetBlob, Part, PutBlob};
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for PutBlob {
    fn to_json(&self) -> Value {
        object([
            ("blob", self.blob.to_json()),
            ("offset", self.offset.to_json()),
            ("bytes", self.bytes.to_json()),
        ])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            blob: fields.take("blob")?,
            offset: fields.take("offset")?,
            bytes: fields.take("bytes")?,
        })
    }
}

impl JsonForm for BlobChunk {
    fn to_json(&self) -> Value {
        object([("size", self.size.to_json()), ("bytes", self.bytes.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { size: fields.take("size")?, bytes: fields.take("bytes")? })
    }
}

impl JsonForm for GetBlob {
    fn to_json(&self) -> Value {
        object([("sha256", self.hash.to_json()), ("offset", self.offset.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { hash: fields.take("sha256")?, offset: fields.take("offset")? })
    }
}

impl JsonForm for BlobRef {
    fn to_json(&self) -> Value {
        object([("sha256", self.hash.to_json()), ("size", self.size.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { hash: fields.take("sha256")?, size: fields.take("size")? })
    }
}

impl JsonForm for Part {
    fn to_json(&self) -> Value {
        match self {
            Self::Inline(bytes) => bytes.to_json(),
            Self::Blob(blob) => object([("blob", blob.to_json())]),
        }
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        match value {
            Value::String(_) => JsonForm::from_json(value).map(Self::Inline),
            other => Fields::of(other)?.take("blob").map(Self::Blob),
        }
    }
}
