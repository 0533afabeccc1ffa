//! Who should be where, and what is known of those whom somebody put out.

use super::*;

const DOMAIN: &str = "mls.test";

fn ghosts() -> (Ghosts, UserId, String) {
    let user = UserId::from_human("@a:hs.test").unwrap();
    let jid = ghost::jid(&user, DOMAIN);
    let mut ghosts = Ghosts::default();
    ghosts.want("r", &user);
    (ghosts, user, jid)
}

#[test]
fn a_ghost_that_lost_its_place_is_missing_until_the_hub_has_stored_that() {
    let (mut ghosts, _, jid) = ghosts();
    assert!(ghosts.missing("r", &[]).is_empty(), "it was never let in");
    ghosts.entered("r", jid.clone(), "nick".into());
    assert!(ghosts.missing("r", std::slice::from_ref(&jid)).is_empty());
    for _ in ["told", "the hub could not store it"] {
        assert_eq!(ghosts.missing("r", &[]), std::slice::from_ref(&jid));
        assert!(ghosts.expelled("r", &jid, DOMAIN));
        assert!(ghosts.is_put_out("r", &jid));
    }
    ghosts.forget_put_out("r", &jid, DOMAIN);
    assert!(ghosts.missing("r", &[]).is_empty());
    assert!(!ghosts.expelled("r", &jid, DOMAIN));
    assert!(ghosts.is_put_out("r", &jid), "what waits for the room lets it in again");
    ghosts.may_enter("r", &jid);
    assert!(!ghosts.is_put_out("r", &jid));
}

#[test]
fn a_ghost_that_was_in_before_the_start_is_missed_and_one_that_may_not_have_been_is_not() {
    let (mut ghosts, user, jid) = ghosts();
    let other = UserId::from_human("@b:hs.test").unwrap();
    ghosts.want("r", &other);
    ghosts.was_admitted("r", &user, DOMAIN);
    assert_eq!(ghosts.missing("r", &[]), std::slice::from_ref(&jid));
    assert!(!ghosts.report("r", &jid), "the hub said so itself");
}

#[test]
fn the_hub_is_told_once_that_a_ghost_is_in() {
    let (mut ghosts, user, jid) = ghosts();
    assert!(!ghosts.report("r", &jid), "it is not in");
    ghosts.entered("r", jid.clone(), "nick".into());
    assert!(ghosts.report("r", &jid));
    assert!(!ghosts.report("r", &jid));
    ghosts.unwant("r", &user, DOMAIN);
    ghosts.entered("r", jid.clone(), "nick".into());
    assert!(ghosts.report("r", &jid), "it was out in between");
}

#[test]
fn a_lost_room_has_no_ghosts_any_more() {
    let (mut ghosts, user, jid) = ghosts();
    ghosts.entered("r", jid.clone(), "nick".into());
    ghosts.entered("other", jid.clone(), "nick".into());
    assert_eq!(ghosts.forget_room("r"), [(jid.clone(), "nick".to_owned())]);
    assert!(ghosts.wanted("r").is_empty() && ghosts.missing("r", &[]).is_empty());
    assert!(ghosts.is_present("other", &jid) && !ghosts.is_present("r", &jid));
    assert!(!ghosts.wanted("r").contains(&user));
}
