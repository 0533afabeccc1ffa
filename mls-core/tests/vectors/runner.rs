//! The runner can fail: what it says of vectors that are damaged, foreign or of other schemas.

use crate::case::{self, Case, Hex};
use crate::folder::{self, Found};
use crate::report::{FileReport, Outcome, Report};
use crate::{made, run};

type Field = fn(&mut Case) -> &mut Hex;

#[test]
fn a_vector_made_by_a_bare_engine_passes() {
    let outcome = run::run(&made::case());
    assert!(matches!(outcome, Outcome::Passed), "{outcome:?}");
}

#[test]
fn one_flipped_byte_anywhere_in_a_vector_is_seen_where_it_is() {
    let fields: [(&str, Field, Option<usize>); 10] = [
        ("the KeyPackage", |case| &mut case.key_package, None),
        ("the init key", |case| &mut case.init_priv, None),
        ("the Welcome", |case| &mut case.welcome, None),
        ("the tree", |case| case.ratchet_tree.as_mut().unwrap(), None),
        ("the first authenticator", |case| &mut case.initial_epoch_authenticator, None),
        ("the PSK", |case| &mut case.external_psks[0].psk, Some(0)),
        ("the proposal", |case| &mut case.epochs[0].proposals[0], Some(0)),
        ("the commit", |case| &mut case.epochs[1].commit, Some(1)),
        ("the commit from outside", |case| &mut case.epochs[2].commit, Some(2)),
        ("the last authenticator", |case| &mut case.epochs[2].epoch_authenticator, Some(2)),
    ];
    let good = made::case();
    for (what, field, after) in fields {
        let mut damaged = good.clone();
        let bytes = &mut field(&mut damaged).0;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        match run::run(&damaged) {
            Outcome::Failed(failure) => assert_eq!(failure.after, after, "{what}: {failure}"),
            outcome => panic!("{what} is damaged, and the case: {outcome:?}"),
        }
    }
}

#[test]
fn a_failure_names_file_case_suite_epoch_and_difference() {
    let mut damaged = made::case();
    damaged.epochs[1].epoch_authenticator = Hex(vec![0xab; 32]);
    let cases = vec![(Some(2), Outcome::Passed), (Some(2), run::run(&damaged))];
    let mut report = Report::new("folder".as_ref());
    report.add(FileReport::Vectors("some.json".to_owned(), cases));
    let text = report.to_string();
    assert_eq!(report.failed(), 1);
    let line = text.lines().find(|line| line.contains("FAILED")).unwrap();
    for part in ["some.json, case 1, suite 0x0002", "epoch 1 of the vector", "epoch 3 is ", "abab"]
    {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    assert!(text.contains("1 passed, 0 skipped, 1 failed"), "{text}");
}

#[test]
fn a_suite_that_the_provider_lacks_is_skipped_by_name() {
    let mut case = made::case();
    case.cipher_suite = 6;
    let outcome = run::run(&case);
    assert!(matches!(outcome, Outcome::Skipped), "{outcome:?}");
    let report = FileReport::Vectors(String::new(), vec![(Some(6), outcome)]).to_string();
    assert!(report.contains("suite 0x0006 (X448, ChaCha20-Poly1305, SHA-512, Ed448)"), "{report}");
    assert!(report.contains("1 skipped"), "{report}");
}

#[test]
fn neither_skipped_cases_nor_other_files_count_as_passed() {
    let mut report = Report::new("folder".as_ref());
    report.add(FileReport::Other("other.json".to_owned()));
    report.add(FileReport::Vectors("lacking.json".to_owned(), vec![(Some(6), Outcome::Skipped)]));
    assert_eq!((report.passed(), report.failed()), (0, 0));
    report.add(FileReport::Vectors("ours.json".to_owned(), vec![(Some(2), Outcome::Passed)]));
    assert_eq!(report.passed(), 1);
}

#[test]
fn other_files_are_told_from_damaged_ones() {
    let other = r#"[{"cipher_suite": 1, "init_priv": "00", "welcome": "00"}]"#;
    for text in [other, "[]", "{}", "7"] {
        assert!(matches!(case::read(text), Ok(None)), "{text}");
    }
    assert!(case::read("[{").is_err());
    let ours = r#"[{"init_priv": "no hex", "external_psks": [], "welcome": "",
        "initial_epoch_authenticator": "", "epochs": []}]"#;
    assert!(matches!(case::read(ours), Ok(Some(cases)) if cases[0].is_err()));
}

#[test]
fn a_folder_that_is_named_comes_before_the_sibling_and_both_may_be_missing() {
    let find = |named: &str, root: &str| folder::find_from(Some(named.into()), root.as_ref());
    assert!(matches!(find("/named", "/no/checkout"), Found::Named(f) if f == *"/named"));
    let nowhere = find("", "/no/checkout");
    assert!(matches!(&nowhere, Found::Nowhere(f) if f.ends_with("shared/vectors")), "{nowhere:?}");
}
