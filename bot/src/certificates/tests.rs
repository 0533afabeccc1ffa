//! What is said of evidence that is whole, harmless, forged or cut.

use mls_core::authority::Authority;
use mls_core::crypto::Crypto;
use mls_core::member::KeptFork;
use mls_core::transparency::{HeadSigner, ShownHead, TreeHead, TwoHeads};
use mls_core::wire::Digest;
use mls_core::wire::issue_credential::CertificateBytes;

use super::*;

fn authority() -> Authority {
    Authority::make(&Crypto::system(), "mls-bridge of example.org").unwrap().0
}

/// A head that one authority signed, shown as that of another.
fn shown(by: &Authority, as_of: &Authority, (size, root, time_ms): (u64, u8, u64)) -> ShownHead {
    let head = by.sign_tree_head(TreeHead { size, root: Digest([root; 32]), time_ms }).unwrap();
    let root = CertificateBytes(as_of.anchor().to_vec());
    ShownHead { head, signer: HeadSigner { root, chain: Vec::new() } }
}

/// A log that forked, as the device has it that saw it.
fn log(first: ShownHead, second: ShownHead) -> LogSummary {
    let evidence = LogEvidence { domain: "example.org".to_owned(), first, second };
    let (head, fork) = (evidence.first.head.clone(), Some(evidence.heads()));
    let forks = vec![KeptFork { evidence, found_ms: 1, accepted_ms: None }];
    LogSummary { head, read: 0, fork, forks }
}

/// What `--check` says of what `--evidence` writes.
fn checked(log: &LogSummary) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("evidence");
    write_evidence(&file, Some(log)).unwrap();
    check(&file).unwrap_or_else(|error| error.to_string())
}

#[test]
fn evidence_that_was_written_holds_for_a_third_person_and_names_the_root() {
    let ours = authority();
    let fork = log(shown(&ours, &ours, (9, 1, 5000)), shown(&ours, &ours, (7, 2, 8000)));
    let said = checked(&fork);
    assert!(said.starts_with("the evidence holds: the authority of example.org"), "{said}");
    let root = mls_core::engine::sha256(ours.anchor()).to_string();
    for part in [readable_fingerprint(&root), "01".repeat(32), "02".repeat(32)] {
        assert!(said.contains(&part), "{part} in {said}");
    }
}

#[test]
fn heads_that_can_both_be_true_and_those_of_another_key_prove_nothing() {
    let (ours, other) = (authority(), authority());
    let grown = log(shown(&ours, &ours, (7, 1, 5000)), shown(&ours, &ours, (9, 2, 8000)));
    assert!(checked(&grown).starts_with("this proves nothing by itself"), "{}", checked(&grown));
    let forged = log(shown(&ours, &ours, (9, 1, 5000)), shown(&other, &ours, (7, 2, 8000)));
    assert!(checked(&forged).contains("does not hold"), "{}", checked(&forged));
}

#[test]
fn evidence_is_never_written_over_another_file_and_a_cut_one_is_refused() {
    let ours = authority();
    let fork = log(shown(&ours, &ours, (9, 1, 5000)), shown(&ours, &ours, (7, 2, 8000)));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("evidence");
    assert!(write_evidence(&file, None).is_err() && !file.exists());
    write_evidence(&file, Some(&fork)).unwrap();
    assert!(write_evidence(&file, Some(&fork)).is_err());
    let line = fs::read_to_string(&file).unwrap();
    for wrong in ["", &line[..line.len() / 2], &format!("{line}{line}")] {
        fs::write(&file, wrong).unwrap();
        let said = check(&file).unwrap_err().to_string();
        assert!(said.contains("mls-log-evidence"), "{said}");
    }
    fs::write(&file, "x".repeat(LogEvidence::LINE_BYTES_MAX + 1)).unwrap();
    assert!(check(&file).unwrap_err().to_string().contains("longer than"));
}

#[test]
fn only_the_log_that_came_is_accepted_by_as_many_digits_as_a_fingerprint_has() {
    let ours = authority();
    let fork = log(shown(&ours, &ours, (9, 1, 5000)), shown(&ours, &ours, (7, 2, 8000)));
    let TwoHeads { first, second } = fork.fork.clone().unwrap();
    let (first, second) = (first.head.root.to_string(), second.head.root.to_string());
    for typed in [second.as_str(), &second.to_uppercase(), &second[..FINGERPRINT_DIGITS]] {
        let command = accept(typed, Some(&fork)).unwrap();
        assert_eq!(command, Command::AcceptLog(Digest([2; 32])));
    }
    for typed in [first.as_str(), &second[..FINGERPRINT_DIGITS - 1], ""] {
        assert!(matches!(accept(typed, Some(&fork)), Err(Exit::Usage(_))), "{typed}");
    }
    assert!(matches!(accept(&second, None), Err(Exit::Usage(_))));
    assert!(matches!(
        accept(&second, Some(&LogSummary { fork: None, ..fork })),
        Err(Exit::Usage(_))
    ));
}
