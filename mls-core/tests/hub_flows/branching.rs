//! A branch of a group comes under the hub's order, in rooms of its own.

use mls_core::address::{RoomAddress, UserId};
use mls_core::hub::{Effect, Input, RoomsMade};
use mls_core::identity::TrustAnchor;
use mls_core::wire::claim_key_packages::{ClaimKeyPackages, ClaimPurpose};
use mls_core::wire::create_room::{CreateRoom, RoomCreated};
use mls_core::wire::find_group::FindGroup;
use mls_core::wire::founded_group::FoundedGroup;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::register_branch::RegisterBranch;
use mls_core::wire::welcome::Resumed;
use mls_core::wire::{Answer, GroupId, Request};

use crate::device::{Device, bridge_group};
use crate::group::package_of;
use crate::world::{World, handshake_key};

const BRANCH_MUC: &str = "branch@rooms.example.org";

/// Bob, Carol and Alice in one group; and Dave, who is in none.
struct Verona {
    world: World,
    alice: Device,
    bob: Device,
    carol: Device,
    dave: Device,
}

impl Verona {
    fn new() -> Self {
        let mut world = World::new();
        let mut bob = Device::new("bob@example.org", "00000000000000b0");
        let mut carol = Device::new("carol@example.org", "00000000000000c0");
        let dave = Device::new("dave@example.org", "00000000000000d0");
        let alice = world.group_with(&mut [&mut bob, &mut carol]);
        world.now += 1000;
        for device in [&bob, &carol, &dave] {
            let packages = [(); 2].map(|()| device.key_package(world.now, false)).to_vec();
            world.publish(device, packages, None).unwrap();
        }
        world.take_effects();
        Self { world, alice, bob, carol, dave }
    }

    fn parent(&self) -> GroupId {
        self.bob.group_id()
    }

    /// A MUC, made for a user.
    fn rooms(&mut self, user: &UserId) -> RoomCreated {
        let rooms = RoomCreated { matrix_room: None, muc: Some(BRANCH_MUC.to_owned()) };
        let create = CreateRoom { matrix: false, xmpp: true, name: "Branch".to_owned() };
        assert!(self.world.request_as(user, "branch-rooms", Request::CreateRoom(create)).is_none());
        let job = match self.world.take_effects().as_slice() {
            [Effect::MakeRooms(make)] => make.job,
            other => panic!("{other:?}"),
        };
        self.world.happen(Input::RoomsMade(RoomsMade { job, result: Ok(rooms.clone()) }));
        self.world.take_effects();
        rooms
    }

    fn claim(
        &mut self,
        from: &UserId,
        branch: &GroupId,
        users: &[UserId],
    ) -> Result<Vec<Vec<u8>>, Refusal> {
        let claim = ClaimKeyPackages {
            group: self.parent(),
            users: users.to_vec(),
            suites: vec![1],
            purpose: ClaimPurpose::Branch(branch.clone()),
        };
        match self.world.request(from, Request::ClaimKeyPackages(claim))? {
            Answer::KeyPackages(found) => Ok(found.into_iter().map(package_of).collect()),
            other => panic!("{other:?}"),
        }
    }

    /// Bob's device once more, in no group yet.
    fn bobs_device(&mut self) -> Device {
        let identity = self.bob.group().current_member_signing_identity().unwrap().clone();
        Device::with_key(self.bob.id.clone(), self.bob.key.clone(), identity)
    }

    /// A group in a MUC of its own that Bob makes with whom he claims; the hub sees no PSK.
    fn made_by_bob(&mut self, others: &[UserId]) -> (Device, RegisterBranch) {
        let user = self.bob.user();
        let rooms = self.rooms(&user);
        let info = self.world.info(&user);
        let mut made = self.bobs_device();
        made.create_group_with(&info, &bridge_group(&info, &rooms, &user), self.world.now);
        let packages = self.claim(&user, &made.group_id(), others).unwrap();
        let request = self.registration(&mut made, &packages);
        (made, request)
    }

    fn registration(&self, made: &mut Device, packages: &[Vec<u8>]) -> RegisterBranch {
        let commit = made.commit_adding(self.world.now, packages);
        made.apply();
        let registration = made.registration();
        RegisterBranch {
            parent: self.parent(),
            parent_epoch: self.bob.epoch(),
            founded: FoundedGroup {
                group_info: registration.group_info,
                tree: registration.tree,
                welcome: commit.welcome,
                handshake_key: handshake_key(),
            },
        }
    }

    fn register(&mut self, from: &UserId, request: &RegisterBranch) -> Result<(), Refusal> {
        let request = Request::RegisterBranch(request.clone());
        self.world.receipt(from, request).map(drop)
    }

    /// Why the hub does not take what Bob registers.
    fn refusal(&mut self, request: &RegisterBranch) -> String {
        let user = self.bob.user();
        self.register(&user, request).unwrap_err().to_string()
    }
}

#[test]
fn every_member_may_branch_and_the_others_are_let_in_and_welcomed() {
    let mut verona = Verona::new();
    let (bob, carol) = (verona.bob.user(), verona.carol.user());
    let (made, request) = verona.made_by_bob(std::slice::from_ref(&carol));
    verona.register(&bob, &request).unwrap();
    let room = RoomAddress::xmpp(BRANCH_MUC);
    let welcomes = verona.world.take_welcomes();
    let effects = verona.world.take_effects();
    let admitted = effects.iter().filter_map(|effect| match effect {
        Effect::Admit(admit) => Some((admit.room.clone(), admit.user.clone())),
        _ => None,
    });
    assert_eq!(admitted.collect::<Vec<_>>(), [(room.clone(), carol.clone())]);
    let welcome = welcomes.iter().find(|welcome| welcome.client == verona.carol.id).unwrap();
    match &welcome.resumes {
        Some(Resumed::Parent(parent)) => {
            assert_eq!((&parent.group, parent.epoch), (&verona.parent(), verona.bob.epoch()));
        }
        other => panic!("{other:?}"),
    }
    // The same again is answered the same, though the parent has gone on.
    let commit = verona.alice.update(verona.world.now);
    let (alice, others) = (&mut verona.alice, &mut [&mut verona.bob, &mut verona.carol]);
    verona.world.commit(alice, others, commit).unwrap();
    verona.register(&bob, &request).unwrap();
    let find = Request::FindGroup(FindGroup { room });
    match verona.world.request(&carol, find).unwrap() {
        Answer::GroupFound(found) => assert_eq!(found.group, made.group_id()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn packages_for_a_branch_are_given_out_of_members_to_members_only() {
    let mut verona = Verona::new();
    let branch = GroupId(vec![9; 16]);
    let [alice, bob, carol, dave] =
        [&verona.alice, &verona.bob, &verona.carol, &verona.dave].map(Device::user);
    assert_eq!(verona.claim(&bob, &branch, std::slice::from_ref(&carol)).unwrap().len(), 1);
    let not_allowed = |result| matches!(result, Err(Refusal::NotAllowed(_)));
    assert!(not_allowed(verona.claim(&bob, &branch, std::slice::from_ref(&dave))));
    assert!(not_allowed(verona.claim(&dave, &branch, std::slice::from_ref(&carol))));
    let parent = verona.parent();
    for (id, fits) in [(GroupId(vec![9; 15]), false), (parent, false), (branch, true)] {
        let answer = verona.claim(&alice, &id, std::slice::from_ref(&carol));
        assert_eq!(answer.is_ok(), fits, "{answer:?}");
    }
}

#[test]
fn a_branch_of_an_epoch_that_has_ended_is_refused_with_the_current_one() {
    let mut verona = Verona::new();
    let carol = verona.carol.user();
    let (_, request) = verona.made_by_bob(&[carol]);
    let before = verona.bob.epoch();
    let commit = verona.alice.update(verona.world.now);
    let (alice, others) = (&mut verona.alice, &mut [&mut verona.bob, &mut verona.carol]);
    verona.world.commit(alice, others, commit).unwrap();
    let user = verona.bob.user();
    assert_eq!(verona.register(&user, &request), Err(Refusal::WrongEpoch(before + 1)));
    let now = RegisterBranch { parent_epoch: before + 1, ..request };
    verona.register(&user, &now).unwrap();
}

#[test]
fn a_branch_with_a_stranger_or_an_unclaimed_package_is_refused() {
    let mut verona = Verona::new();
    let carol = verona.carol.user();
    let (mut made, _) = verona.made_by_bob(&[carol]);
    let packages = [verona.carol.key_package(verona.world.now, false)];
    made.group = None;
    let info = verona.world.info(&made.user());
    let rooms = RoomCreated { matrix_room: None, muc: Some(BRANCH_MUC.to_owned()) };
    let bound = bridge_group(&info, &rooms, &made.user());
    made.create_group_with(&info, &bound, verona.world.now);
    let unclaimed = verona.registration(&mut made, &packages);
    assert!(verona.refusal(&unclaimed).contains("not claimed"));
    made.create_group_with(&info, &bound, verona.world.now);
    let stranger = [verona.dave.key_package(verona.world.now, false)];
    let with_stranger = verona.registration(&mut made, &stranger);
    assert!(verona.refusal(&with_stranger).contains("not in the parent"));
}

#[test]
fn a_branch_that_would_take_other_credentials_than_its_parent_is_refused() {
    let mut verona = Verona::new();
    let user = verona.bob.user();
    let rooms = verona.rooms(&user);
    let info = verona.world.info(&user);
    let mut bound = bridge_group(&info, &rooms, &user);
    let certificate = b"another authority".to_vec();
    bound.anchors.0.push(TrustAnchor { domain: "example.net".to_owned(), certificate });
    let mut made = verona.bobs_device();
    made.create_group_with(&info, &bound, verona.world.now);
    let carol = verona.carol.user();
    let packages = verona.claim(&user, &made.group_id(), &[carol]).unwrap();
    let request = verona.registration(&mut made, &packages);
    assert!(verona.refusal(&request).contains("credentials"));
}

#[test]
fn who_is_to_leave_the_parent_is_not_taken_into_a_branch() {
    let mut verona = Verona::new();
    let carol = verona.carol.user();
    let (_, request) = verona.made_by_bob(std::slice::from_ref(&carol));
    verona.world.happen(Input::Membership(mls_core::hub::Membership {
        room: crate::world::muc(),
        user: carol,
        listed: false,
    }));
    assert!(verona.refusal(&request).contains("is to leave it"));
}

#[test]
fn only_who_made_a_branch_registers_it_and_only_in_rooms_made_for_them() {
    let mut verona = Verona::new();
    let carol = verona.carol.user();
    let (_, request) = verona.made_by_bob(std::slice::from_ref(&carol));
    let (alice, dave) = (verona.alice.user(), verona.dave.user());
    for other in [alice, carol, dave] {
        let refused = verona.register(&other, &request);
        assert!(refused.is_err(), "{other}");
    }
    let user = verona.bob.user();
    let info = verona.world.info(&user);
    let taken = RoomCreated { matrix_room: None, muc: Some(crate::world::MUC.to_owned()) };
    let mut made = verona.bobs_device();
    made.create_group_with(&info, &bridge_group(&info, &taken, &user), verona.world.now);
    let carol = verona.carol.user();
    let packages = verona.claim(&user, &made.group_id(), &[carol]).unwrap();
    let in_taken = verona.registration(&mut made, &packages);
    assert!(verona.refusal(&in_taken).contains("not made here"));
    verona.register(&user, &request).unwrap();
}
