//! `HubInfo`'s answer as JSON.

use mls_core::identity::TrustAnchor;
use mls_core::wire::hub_info::{FormerKeys, HubInfo, SuiteSender, SuiteSignature};
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for HubInfo {
    fn to_json(&self) -> Value {
        // Version numbers are a list of numbers, not bytes.
        let versions: Vec<u16> = self.versions.iter().copied().map(u16::from).collect();
        object([
            ("receipt_key", self.receipt_key.to_json()),
            ("seal_key", self.seal_key.to_json()),
            ("seal_signature", self.seal_signature.to_json()),
            ("senders", self.senders.to_json()),
            ("former", self.former.to_json()),
            ("hub_matrix", self.hub_matrix.to_json()),
            ("hub_xmpp", self.hub_xmpp.to_json()),
            ("anchors", self.anchors.to_json()),
            ("inline_bytes_max", self.inline_bytes_max.to_json()),
            ("versions", versions.to_json()),
            ("recovering", self.recovering.to_json()),
        ])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        let versions: Vec<u16> = fields.take("versions")?;
        Ok(Self {
            receipt_key: fields.take("receipt_key")?,
            seal_key: fields.take("seal_key")?,
            seal_signature: fields.take("seal_signature")?,
            senders: fields.take("senders")?,
            former: fields.take("former")?,
            hub_matrix: fields.take("hub_matrix")?,
            hub_xmpp: fields.take("hub_xmpp")?,
            anchors: fields.take("anchors")?,
            inline_bytes_max: fields.take("inline_bytes_max")?,
            versions: versions.into_iter().filter_map(|v| u8::try_from(v).ok()).collect(),
            recovering: fields.take("recovering")?,
        })
    }
}

impl JsonForm for FormerKeys {
    fn to_json(&self) -> Value {
        object([
            ("receipt_key", self.receipt_key.to_json()),
            ("senders", self.senders.to_json()),
            ("handovers", self.handovers.to_json()),
        ])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            receipt_key: fields.take("receipt_key")?,
            senders: fields.take("senders")?,
            handovers: fields.take("handovers")?,
        })
    }
}

impl JsonForm for TrustAnchor {
    fn to_json(&self) -> Value {
        object([("domain", self.domain.to_json()), ("certificate", self.certificate.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { domain: fields.take("domain")?, certificate: fields.take("certificate")? })
    }
}

impl JsonForm for SuiteSignature {
    fn to_json(&self) -> Value {
        object([("suite", self.suite.to_json()), ("signature", self.signature.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { suite: fields.take("suite")?, signature: fields.take("signature")? })
    }
}

impl JsonForm for SuiteSender {
    fn to_json(&self) -> Value {
        object([("suite", self.suite.to_json()), ("identity", self.identity.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self { suite: fields.take("suite")?, identity: fields.take("identity")? })
    }
}
