//! `ProveCertificate`: where a certificate stands in the log, with the proof.

use super::transparency;
use super::turn::{Stop, Turn};
use crate::wire::Answer;
use crate::wire::prove_certificate::{CertificateProof, Logged, ProveCertificate};

impl Turn<'_> {
    /// That a tree does not have it is an answer too.
    pub(super) fn prove_certificate(&self, prove: &ProveCertificate) -> Result<Answer, Stop> {
        let size = self.size_of_log(prove.size)?;
        let index = transparency::find(self.store, &prove.certificate_hash)?;
        let logged = index.filter(|index| *index < size).map(|index| {
            let entry = transparency::entry(self.store, index)?;
            let inclusion = transparency::inclusion(self.store, index, size)?;
            Ok::<_, Stop>(Logged { entry, index, inclusion })
        });
        Ok(Answer::CertificateProof(CertificateProof { logged: logged.transpose()? }))
    }
}
