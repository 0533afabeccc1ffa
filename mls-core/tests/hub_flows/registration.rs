//! Rooms are made, a group is registered in them.

use mls_core::address::{RoomAddress, UserId};
use mls_core::bridge_group::BridgeGroup;
use mls_core::hub::{Effect, Input, RoomsMade};
use mls_core::policy::CREDENTIAL_TYPES;
use mls_core::receipt::ReceiptKind;
use mls_core::wire::find_group::FindGroup;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Digest, Request};
use mls_rs::ExtensionList;
use mls_rs::extension::built_in::RequiredCapabilitiesExt;
use mls_rs_core::extension::ExtensionType;

use crate::device::{Device, bridge_group, context, required_capabilities};
use crate::world::{World, muc, room};

#[test]
fn a_group_is_registered_and_its_rooms_are_bound() {
    let mut world = World::new();
    let mut alice = Device::new("@alice:example.org", "ALICE");
    let rooms = world.make_rooms(&alice.user());
    let info = world.info(&alice.user());
    alice.create_group(&info, &rooms, world.now);
    let request = Request::RegisterGroup(alice.registration());
    let receipt = world.receipt(&alice.user(), request.clone()).unwrap();
    assert_eq!((receipt.tbs.kind, receipt.tbs.seq, receipt.tbs.epoch), (ReceiptKind::Group, 0, 0));
    assert_eq!(receipt.tbs.previous, Digest([0; 32]));
    let bound: Vec<RoomAddress> = world
        .take_effects()
        .into_iter()
        .map(|effect| match effect {
            Effect::BindRoom(bind) => {
                assert_eq!((bind.group, bind.suite), (alice.group_id(), 1));
                bind.room
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(bound, [room(), muc()]);
    assert_eq!(world.hub().rooms().unwrap(), [room(), muc()]);
    assert_eq!(world.hub().users_in(&muc()).unwrap(), [alice.user()]);
    // The same again is answered the same and does nothing.
    assert_eq!(world.receipt(&alice.user(), request), Ok(receipt));
    assert!(world.take_effects().is_empty());
    let mallory = UserId::from_human("@mallory:example.org").unwrap();
    let stolen = Request::RegisterGroup(alice.registration());
    assert_eq!(world.receipt(&mallory, stolen), Err(Refusal::Exists));
    let find = |room| Request::FindGroup(FindGroup { room });
    match world.request(&alice.user(), find(muc())).unwrap() {
        Answer::GroupFound(found) => assert_eq!((found.group, found.epoch), (alice.group_id(), 0)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(world.request(&mallory, find(room())), Err(Refusal::NotAllowed(_))));
    let nowhere = RoomAddress::xmpp("nowhere@rooms.example.org");
    assert_eq!(world.request(&alice.user(), find(nowhere)), Err(Refusal::UnknownGroup));
}

/// What is wrong, and how to make it so.
type Mutation = (&'static str, fn(&mut BridgeGroup));

#[test]
fn a_group_whose_binding_is_wrong_is_not_registered() {
    let mutations: [Mutation; 7] = [
        ("another hub on Matrix", |g| g.hub_matrix = "@mls:elsewhere.org".to_owned()),
        ("another hub on XMPP", |g| g.hub_xmpp.clear()),
        ("another receipt key", |g| g.receipt_key[0] ^= 1),
        ("a room of somebody else", |g| g.matrix_room = "!other:example.org".to_owned()),
        ("a MUC of somebody else", |g| g.muc = "other@rooms.example.org".to_owned()),
        ("no admin", |g| g.admins.clear()),
        ("another order", |g| g.order = mls_core::bridge_group::Order::Room),
    ];
    for (what, mutate) in mutations {
        let mut world = World::new();
        let mut alice = Device::new("@alice:example.org", "ALICE");
        let rooms = world.make_rooms(&alice.user());
        let info = world.info(&alice.user());
        let mut binding = bridge_group(&info, &rooms, &alice.user());
        mutate(&mut binding);
        alice.create_group_with(&info, &binding, world.now);
        let refused = world.receipt(&alice.user(), Request::RegisterGroup(alice.registration()));
        assert!(refused.is_err(), "{what} was accepted");
    }
}

#[test]
fn a_group_with_a_foreign_external_sender_is_not_registered() {
    let (mut world, mut other) = (World::new(), World::new());
    let mut alice = Device::new("@alice:example.org", "ALICE");
    let rooms = world.make_rooms(&alice.user());
    let mut info = world.info(&alice.user());
    info.senders = other.info(&alice.user()).senders;
    alice.create_group(&info, &rooms, world.now);
    let refused = world.receipt(&alice.user(), Request::RegisterGroup(alice.registration()));
    assert!(matches!(refused, Err(Refusal::Invalid(why)) if why.contains("external_senders")));
}

#[test]
fn a_group_that_requires_too_little_of_its_leaves_is_not_registered() {
    let lacking: [fn(&mut RequiredCapabilitiesExt); 3] = [
        |required| required.extensions.clear(),
        |required| required.credentials.retain(|one| *one != CREDENTIAL_TYPES[0]),
        |required| required.credentials.retain(|one| *one != CREDENTIAL_TYPES[1]),
    ];
    let without =
        |required: &mut ExtensionList| required.remove(ExtensionType::REQUIRED_CAPABILITIES);
    for lacks in lacking.iter().map(Some).chain([None]) {
        let mut world = World::new();
        let mut alice = Device::new("@alice:example.org", "ALICE");
        let rooms = world.make_rooms(&alice.user());
        let info = world.info(&alice.user());
        let mut extensions = context(&info, &bridge_group(&info, &rooms, &alice.user()));
        let mut required = required_capabilities();
        match lacks {
            Some(lacks) => {
                lacks(&mut required);
                extensions.set_from(required).unwrap();
            }
            None => without(&mut extensions),
        }
        alice.create_group_in(extensions, world.now);
        let refused = world.receipt(&alice.user(), Request::RegisterGroup(alice.registration()));
        let why = "require extension 0xFB71 and the credentials";
        assert!(
            matches!(&refused, Err(Refusal::Invalid(said)) if said.contains(why)),
            "{refused:?}"
        );
    }
}

#[test]
fn rooms_serve_one_live_group_and_only_their_creator() {
    let mut world = World::new();
    let alice = world.alices_group();
    let info = world.info(&alice.user());
    let rooms = mls_core::wire::create_room::RoomCreated {
        matrix_room: Some(crate::world::ROOM.to_owned()),
        muc: None,
    };
    for user in ["@alice:example.org", "@mallory:example.org"] {
        let mut second = Device::new(user, "SECOND");
        second.create_group(&info, &rooms, world.now);
        let request = Request::RegisterGroup(second.registration());
        let refused = world.receipt(&second.user(), request);
        assert!(matches!(refused, Err(Refusal::NotAllowed(_))), "{user}: {refused:?}");
    }
}

#[test]
fn a_room_that_was_made_for_one_user_does_not_serve_another() {
    let mut world = World::new();
    let alice = UserId::from_human("@alice:example.org").unwrap();
    let rooms = world.make_rooms(&alice);
    let mut mallory = Device::new("@mallory:example.org", "M");
    let info = world.info(&alice);
    mallory.create_group(&info, &rooms, world.now);
    let request = Request::RegisterGroup(mallory.registration());
    let refused = world.receipt(&mallory.user(), request);
    assert!(matches!(refused, Err(Refusal::NotAllowed(_))), "{refused:?}");
}

#[test]
fn a_group_whose_one_leaf_is_somebody_elses_is_not_registered() {
    let mut world = World::new();
    let mallory = UserId::from_human("@mallory:example.org").unwrap();
    let rooms = world.make_rooms(&mallory);
    let info = world.info(&mallory);
    let mut alice = Device::new("@alice:example.org", "ALICE");
    alice.create_group_with(&info, &bridge_group(&info, &rooms, &mallory), world.now);
    let refused = world.receipt(&mallory, Request::RegisterGroup(alice.registration()));
    assert!(matches!(&refused, Err(Refusal::Invalid(why)) if why.contains("leaf")), "{refused:?}");
}

#[test]
fn a_group_of_somebody_else_or_after_its_first_epoch_is_not_registered() {
    let mut world = World::new();
    let mut alice = Device::new("@alice:example.org", "ALICE");
    let rooms = world.make_rooms(&alice.user());
    let info = world.info(&alice.user());
    alice.create_group(&info, &rooms, world.now);
    let mallory = UserId::from_human("@mallory:example.org").unwrap();
    let request = Request::RegisterGroup(alice.registration());
    assert!(matches!(world.receipt(&mallory, request), Err(Refusal::Invalid(_))));
    alice.update(world.now);
    alice.apply();
    let request = Request::RegisterGroup(alice.registration());
    assert!(matches!(world.receipt(&alice.user(), request), Err(Refusal::Invalid(_))));
}

#[test]
fn rooms_that_cannot_be_made_are_a_refusal_and_a_job_that_takes_long_says_so() {
    let mut world = World::new();
    let alice = UserId::from_human("alice@example.org").unwrap();
    let request =
        mls_core::wire::create_room::CreateRoom { matrix: false, xmpp: true, name: String::new() };
    let request = Request::CreateRoom(request);
    assert!(world.request_as(&alice, "a", request.clone()).is_none());
    let Some(Effect::MakeRooms(make)) = world.take_effects().pop() else { panic!() };
    // Asked again while it is under way, nothing is made twice.
    assert!(world.request_as(&alice, "a", request.clone()).is_none());
    assert!(world.take_effects().is_empty());
    world.now += mls_core::limits::JOB_WAIT_MS;
    world.happen(Input::Tick);
    let said = world.take_effects();
    assert!(
        matches!(&said[..], [Effect::Answer(a)] if matches!(a.reply, mls_core::hub::Reply::Refused(Refusal::Unavailable(_)))),
        "{said:?}"
    );
    // The rooms come late: the next time the same request is answered at once.
    let rooms = mls_core::wire::create_room::RoomCreated {
        matrix_room: None,
        muc: Some("late@rooms".to_owned()),
    };
    world.happen(Input::RoomsMade(RoomsMade { job: make.job, result: Ok(rooms.clone()) }));
    assert!(world.take_effects().is_empty());
    assert_eq!(
        world.request_as(&alice, "a", request.clone()),
        Some(Ok(Answer::RoomCreated(rooms)))
    );
    assert!(world.request_as(&alice, "b", request).is_none());
    let Some(Effect::MakeRooms(make)) = world.take_effects().pop() else { panic!() };
    world.happen(Input::RoomsMade(RoomsMade { job: make.job, result: Err("full".to_owned()) }));
    let said = world.take_effects();
    assert!(
        matches!(&said[..], [Effect::Answer(a)] if a.reply == mls_core::hub::Reply::Refused(Refusal::NotAllowed("full".to_owned()))),
        "{said:?}"
    );
}
