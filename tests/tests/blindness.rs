//! Neither the bridge nor either server ever holds a plaintext.
//!
//! Every other flow looks for its own plaintexts at its end, too (`tests::rig::shared`).

use tests::error::RigError;
use tests::group::Group;
use tests::rig::shared;

#[test]
fn no_server_and_no_log_of_the_bridge_holds_what_was_said() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&alice, &[&bob])?;
        for number in 0..10 {
            group.say(&alice, &[&bob], &format!("secret {number} whispered on Matrix"))?;
            group.say(&bob, &[&alice], &format!("secret {number} whispered on XMPP"))?;
        }
        assert!(rig.plaintexts() >= 20, "what was said was not noted down");
        let search = rig.search_plaintexts()?;
        assert!(search.hits.is_empty(), "{:#?}", search.hits);
        Ok(())
    })
}

#[test]
fn the_search_finds_in_all_three_places_what_is_really_there() -> Result<(), RigError> {
    shared(|rig| {
        let (carol, dave) = rig.pair("carol", "dave")?;
        let group = Group::form(&carol, &[&dave])?;
        group.say(&carol, &[&dave], "so that both archives hold a message")?;
        let search = rig.search(&[group.room(&carol, "xmpp")?, group.room(&carol, "matrix")?])?;
        for folder in [rig.synapse.folder(), rig.prosody.folder(), rig.bridge.folder()] {
            let found = search.hits.iter().any(|hit| hit.file.starts_with(folder));
            assert!(found, "the search is blind itself in {}", folder.display());
        }
        Ok(())
    })
}
