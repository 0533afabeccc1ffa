//! docs/interop.md shows code of the peer: it must be that code.

const DOCUMENT: &str = include_str!("../../../docs/interop.md");
const SOURCES: [&str; 2] = [include_str!("peer/engine.rs"), include_str!("peer/commit.rs")];

#[test]
fn the_samples_of_the_document_are_the_peers_own_code() {
    let samples: Vec<&str> = DOCUMENT
        .split("```rust\n")
        .skip(1)
        .map(|rest| rest.split_once("```").expect("an end of the sample").0.trim_end())
        .collect();
    assert_eq!(samples.len(), SOURCES.len());
    for (sample, source) in samples.into_iter().zip(SOURCES) {
        assert!(source.contains(sample), "not in the peer any more:\n{sample}");
    }
}
