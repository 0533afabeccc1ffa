//! Running vectors: join, then epoch by epoch, each message by a client fresh from the storage.

use std::path::Path;
use std::sync::Arc;

use mls_core::member::passive_client::{GroupEpoch, PassiveClient, PassiveClientError};
use mls_core::store::MemoryStore;
use mls_rs_core::crypto::CipherSuite;

use crate::case::{self, Case, Hex};
use crate::report::{FileReport, Outcome};

/// Why a case failed, and how far it came.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Epochs passed since the one joined; nothing when joining failed.
    pub(crate) after: Option<usize>,
    /// What differs.
    pub(crate) why: String,
}

/// Runs all cases of a file.
pub(crate) fn file(path: &Path) -> FileReport {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
    match text.and_then(|text| case::read(&text)) {
        Ok(Some(cases)) => {
            let outcome = |case: Result<Case, String>| match case {
                Ok(case) => (Some(case.cipher_suite), run(&case)),
                Err(why) => (None, Outcome::Failed(Failure { after: None, why })),
            };
            FileReport::Vectors(name, cases.into_iter().map(outcome).collect())
        }
        Ok(None) => FileReport::Other(name),
        Err(why) => FileReport::Broken(name, why),
    }
}

/// Runs one case; one of a suite that the crypto provider lacks is skipped.
pub(crate) fn run(case: &Case) -> Outcome {
    if !PassiveClient::suites().contains(&CipherSuite::from(case.cipher_suite)) {
        return Outcome::Skipped;
    }
    match follow(case) {
        Ok(()) => Outcome::Passed,
        Err(failure) => Outcome::Failed(failure),
    }
}

fn follow(case: &Case) -> Result<(), Failure> {
    let device = Device { case, store: MemoryStore::default() };
    let at = |after| move |why| Failure { after, why };
    let joined = device.join().map_err(at(None))?;
    check(&joined, &case.initial_epoch_authenticator).map_err(at(None))?;
    for (number, epoch) in case.epochs.iter().enumerate() {
        let at = |why| Failure { after: Some(number), why };
        for (place, proposal) in epoch.proposals.iter().enumerate() {
            device
                .process(&joined.group, proposal)
                .map_err(|why| at(format!("proposal {place}: {why}")))?;
        }
        let next = device.process(&joined.group, &epoch.commit);
        let next = next.map_err(|why| at(format!("the commit: {why}")))?;
        check(&next, &epoch.epoch_authenticator).map_err(at)?;
    }
    Ok(())
}

fn check(reached: &GroupEpoch, expected: &Hex) -> Result<(), String> {
    if reached.authenticator == expected.0 {
        return Ok(());
    }
    let ours = hex::encode(&reached.authenticator);
    Err(format!("the authenticator of epoch {} is {ours}, not {expected}", reached.epoch))
}

/// The vector's client: a database, and no memory from one message to the next.
struct Device<'a> {
    case: &'a Case,
    store: MemoryStore,
}

impl Device<'_> {
    fn join(&self) -> Result<GroupEpoch, String> {
        let case = self.case;
        self.start(|client| {
            let [init, leaf] = [&case.init_priv, &case.encryption_priv].map(|k| k.0.clone());
            client.hold_key_package(&case.key_package.0, init.into(), leaf.into())?;
            case.external_psks
                .iter()
                .try_for_each(|psk| client.hold_psk(&psk.psk_id.0, psk.psk.0.clone().into()))
        })?;
        let tree = case.ratchet_tree.as_ref().map(|tree| tree.0.as_slice());
        self.start(|client| client.join(&case.welcome.0, tree))
    }

    fn process(&self, group: &[u8], message: &Hex) -> Result<GroupEpoch, String> {
        self.start(|client| client.process(group, &message.0))
    }

    /// Starts, does one thing, commits what is to be written, and stops.
    fn start<T>(
        &self,
        act: impl FnOnce(&PassiveClient) -> Result<T, PassiveClientError>,
    ) -> Result<T, String> {
        let signer = self.case.signature_priv.0.clone().into();
        let client = PassiveClient::open(Arc::new(self.store.clone()), signer);
        let done = act(&client).map_err(|error| error.to_string())?;
        self.store.apply(&client.take_writes());
        Ok(done)
    }
}
