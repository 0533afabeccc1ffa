//! Knocks at the hub: who is told, who is refused, and how many are remembered.

use mls_core::address::{RoomAddress, UserId};
use mls_core::hub::{Effect, Input};
use mls_core::limits::{KNOCK_KEEP_MS, KNOCKS_PER_GROUP_MAX};
use mls_core::policy::CLAIMS_PER_HOUR;
use mls_core::wire::knock::{DenyKnock, Knock, KnockDenied, Knocked};
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Notice, Request};

use crate::device::Device;
use crate::world::{World, muc, room};

const DEVICE: &str = "00000000000000c0";

fn user(name: &str) -> UserId {
    UserId::from_human(&format!("{name}@example.org")).unwrap()
}

fn knock(world: &mut World, user: &UserId, room: RoomAddress) -> Result<Answer, Refusal> {
    let device = DEVICE.to_owned();
    world.request(user, Request::Knock(Knock { room, device }))
}

fn deny(world: &mut World, by: &Device, user: &UserId) -> Result<Answer, Refusal> {
    let (group, user) = (by.group_id(), user.clone());
    world.request(&by.user(), Request::DenyKnock(DenyKnock { group, user }))
}

#[test]
fn a_knock_is_told_to_admins_only_and_adds_nobody() {
    let mut world = World::new();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let alice = world.group_with(&mut [&mut bob]);
    world.take_effects();
    let since_ms = world.now;
    for at in [room(), muc()] {
        world.now += 1000;
        assert_eq!(knock(&mut world, &user("carol"), at), Ok(Answer::Done));
        let effects = world.take_effects();
        let [Effect::Notify(notify)] = effects.as_slice() else { panic!("{effects:?}") };
        let knocked =
            Knocked { group: alice.group_id(), user: user("carol"), since_ms: since_ms + 1000 };
        assert_eq!((&notify.to, &notify.notice), (&alice.id, &Notice::Knocked(knocked)));
    }
    let refused = deny(&mut world, &bob, &user("carol"));
    assert!(matches!(refused, Err(Refusal::NotAllowed(_))), "{refused:?}");
    deny(&mut world, &alice, &user("carol")).unwrap();
    let effects = world.take_effects();
    let [Effect::Notify(notify)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(notify.to, user("carol").device(DEVICE).unwrap());
    let denied = KnockDenied { device: DEVICE.to_owned(), room: muc() };
    assert_eq!(notify.notice, Notice::KnockDenied(denied));
    assert_eq!(deny(&mut world, &alice, &user("carol")), Err(Refusal::Gone));
}

#[test]
fn members_and_rooms_without_a_group_are_refused() {
    let mut world = World::new();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let _alice = world.group_with(&mut [&mut bob]);
    let by_member = knock(&mut world, &bob.user(), muc());
    assert!(matches!(by_member, Err(Refusal::NotAllowed(_))), "{by_member:?}");
    let nowhere = knock(&mut world, &user("carol"), RoomAddress::xmpp("other@rooms.example.org"));
    assert_eq!(nowhere, Err(Refusal::UnknownGroup));
}

#[test]
fn a_knock_ends_when_its_account_is_in_and_after_its_time() {
    let mut world = World::new();
    let mut alice = world.alices_group();
    let mut carol = Device::new("carol@example.org", DEVICE);
    for name in ["carol", "dave"] {
        knock(&mut world, &user(name), muc()).unwrap();
    }
    world.take_effects();
    world.add(&mut alice, &mut [], &mut [&mut carol]);
    assert_eq!(deny(&mut world, &alice, &user("carol")), Err(Refusal::Gone));
    world.now += KNOCK_KEEP_MS;
    world.happen(Input::Tick);
    assert_eq!(deny(&mut world, &alice, &user("dave")), Err(Refusal::Gone));
}

#[test]
fn knocks_are_bounded_for_a_group_and_in_their_rate() {
    let mut world = World::alone();
    let _alice = world.alices_group();
    for n in 0..KNOCKS_PER_GROUP_MAX {
        knock(&mut world, &user(&format!("user{n}")), muc()).unwrap();
    }
    let one_more = knock(&mut world, &user("carol"), muc());
    assert!(matches!(one_more, Err(Refusal::NotAllowed(_))), "{one_more:?}");
    for _ in 1..CLAIMS_PER_HOUR {
        knock(&mut world, &user("user1"), muc()).unwrap();
    }
    let too_often = knock(&mut world, &user("user1"), muc());
    assert!(matches!(too_often, Err(Refusal::RateLimited(_))), "{too_often:?}");
}
