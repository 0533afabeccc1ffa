//! A group with members on both networks: what most tests begin with.

use mls_core::address::{ClientId, UserId};
use mls_core::hub::{Claimed, Effect, Input, RoomsMade};
use mls_core::receipt::Receipt;
use mls_core::wire::claim_key_packages::{
    ClaimKeyPackages, ClaimOutcome, ClaimPurpose, ClaimedClient,
};
use mls_core::wire::create_room::{CreateRoom, RoomCreated};
use mls_core::wire::fetch_welcomes::FetchWelcomes;
use mls_core::wire::publish_key_packages::{KeyPackageBytes, PublishKeyPackages};
use mls_core::wire::refusal::Refusal;
use mls_core::wire::submit_commit::SubmitCommit;
use mls_core::wire::submit_proposal::SubmitProposal;
use mls_core::wire::welcome::Welcome;
use mls_core::wire::{Answer, GroupId, Notice, Request};

use crate::device::Device;
use crate::world::{MUC, ROOM, World, room};

impl World {
    /// Has both rooms made for a user.
    pub(crate) fn make_rooms(&mut self, user: &UserId) -> RoomCreated {
        let rooms = RoomCreated { matrix_room: Some(ROOM.to_owned()), muc: Some(MUC.to_owned()) };
        self.make_these_rooms(user, rooms)
    }

    /// The same, where there need not be one in each network.
    pub(crate) fn make_these_rooms(&mut self, user: &UserId, rooms: RoomCreated) -> RoomCreated {
        let (matrix, xmpp) = (rooms.matrix_room.is_some(), rooms.muc.is_some());
        let request = CreateRoom { matrix, xmpp, name: "Tea".to_owned() };
        let none = self.request_as(user, "rooms", Request::CreateRoom(request));
        assert!(none.is_none(), "rooms are made before they are");
        let job = match self.take_effects().as_slice() {
            [Effect::MakeRooms(make)] => make.job,
            other => panic!("{other:?}"),
        };
        self.happen(Input::RoomsMade(RoomsMade { job, result: Ok(rooms.clone()) }));
        self.take_effects();
        rooms
    }

    /// A group that a new device of `@alice:example.org` has registered.
    pub(crate) fn alices_group(&mut self) -> Device {
        let mut alice = Device::new("@alice:example.org", "ALICE");
        let rooms = self.make_rooms(&alice.user());
        let info = self.info(&alice.user());
        alice.create_group(&info, &rooms, self.now);
        self.receipt(&alice.user(), Request::RegisterGroup(alice.registration())).unwrap();
        self.take_effects();
        alice
    }

    /// Alice's group with these devices added, in one commit.
    pub(crate) fn group_with(&mut self, joiners: &mut [&mut Device]) -> Device {
        let mut alice = self.alices_group();
        self.add(&mut alice, &mut [], joiners);
        alice
    }

    /// Adds devices: claims, commits, lets the others follow and the new ones join.
    pub(crate) fn add(
        &mut self,
        adder: &mut Device,
        others: &mut [&mut Device],
        joiners: &mut [&mut Device],
    ) {
        let packages: Vec<Vec<u8>> =
            joiners.iter().map(|joiner| self.claim_one(adder, joiner)).collect();
        let commit = adder.commit_adding(self.now, &packages);
        self.commit(adder, others, commit).unwrap();
        let welcomes = self.take_welcomes();
        assert_eq!(welcomes.len(), joiners.len());
        for joiner in joiners.iter_mut() {
            let welcome = welcomes.iter().find(|w| w.client == joiner.id).unwrap();
            joiner.join(welcome);
        }
    }

    /// A claim by one device for another, on either network, with the package made for it.
    pub(crate) fn claim_one(&mut self, adder: &Device, joiner: &Device) -> Vec<u8> {
        let package = joiner.key_package(self.now, false);
        let found = match joiner.id.network() {
            mls_core::address::Network::Xmpp => {
                self.publish(joiner, vec![package], None).unwrap();
                self.claim(&adder.user(), &adder.group_id(), &[joiner.user()]).unwrap()
            }
            mls_core::address::Network::Matrix => {
                let client = ClaimedClient {
                    user: joiner.user(),
                    client: Some(joiner.id.clone()),
                    outcome: ClaimOutcome::OneTime(package),
                };
                self.claim_matrix(adder, &joiner.user(), vec![client])
            }
        };
        found.into_iter().find(|c| c.client.as_ref() == Some(&joiner.id)).map(package_of).unwrap()
    }

    pub(crate) fn publish(
        &mut self,
        device: &Device,
        one_time: Vec<Vec<u8>>,
        last_resort: Option<Vec<u8>>,
    ) -> Result<Answer, Refusal> {
        let publish = PublishKeyPackages {
            device: device.id.device(),
            one_time: one_time.into_iter().map(KeyPackageBytes).collect(),
            last_resort: last_resort.map(KeyPackageBytes),
        };
        self.request(&device.user(), Request::PublishKeyPackages(publish))
    }

    /// A claim that the hub answers from its own pool.
    pub(crate) fn claim(
        &mut self,
        from: &UserId,
        group: &GroupId,
        users: &[UserId],
    ) -> Result<Vec<ClaimedClient>, Refusal> {
        match self.request(from, claim_request(group, users)) {
            Ok(Answer::KeyPackages(found)) => Ok(found),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => Err(refusal),
        }
    }

    /// A claim that the homeserver answers with `clients`.
    pub(crate) fn claim_matrix(
        &mut self,
        adder: &Device,
        user: &UserId,
        clients: Vec<ClaimedClient>,
    ) -> Vec<ClaimedClient> {
        let request = claim_request(&adder.group_id(), std::slice::from_ref(user));
        let id = format!("claim-{}-{}", self.now, adder.epoch());
        assert!(self.request_as(&adder.user(), &id, request).is_none());
        let asked = match self.take_effects().pop() {
            Some(Effect::ClaimMatrix(asked)) => asked,
            other => panic!("{other:?}"),
        };
        self.happen(Input::Claimed(Claimed { job: asked.job, clients }));
        self.take_claimed().expect("an answer once all is known")
    }

    /// The answer to a claim, if it is among the effects.
    pub(crate) fn take_claimed(&mut self) -> Option<Vec<ClaimedClient>> {
        use mls_core::hub::{AnswerEffect, Reply};
        let found = |effect: &Effect| match effect {
            Effect::Answer(AnswerEffect { reply: Reply::Ok(Answer::KeyPackages(c)), .. }) => {
                Some(c.clone())
            }
            _ => None,
        };
        let answer = self.effects.iter().find_map(found);
        self.effects.retain(|effect| found(effect).is_none());
        answer
    }

    /// Submits a commit; on its receipt the committer and the others apply it.
    pub(crate) fn commit(
        &mut self,
        committer: &mut Device,
        others: &mut [&mut Device],
        commit: SubmitCommit,
    ) -> Result<Receipt, Refusal> {
        let receipt = self.submit(&committer.user(), commit)?;
        committer.apply();
        for post in self.take_posts(&room()) {
            others.iter_mut().for_each(|other| other.receive(&post.handshake));
        }
        Ok(receipt)
    }

    pub(crate) fn submit(
        &mut self,
        from: &UserId,
        commit: SubmitCommit,
    ) -> Result<Receipt, Refusal> {
        self.receipt(from, Request::SubmitCommit(commit))
    }

    pub(crate) fn propose(&mut self, from: &Device, proposal: Vec<u8>) -> Result<Receipt, Refusal> {
        let (group, epoch) = (from.group_id(), from.epoch());
        let request = SubmitProposal { group, epoch, proposal };
        self.receipt(&from.user(), Request::SubmitProposal(request))
    }

    /// A request whose answer is a receipt; it must be signed by the hub.
    pub(crate) fn receipt(&mut self, from: &UserId, request: Request) -> Result<Receipt, Refusal> {
        match self.request(from, request)? {
            Answer::Receipt(bytes) => {
                let receipt = Receipt::from_bytes(&bytes).unwrap();
                let key = self.info(from).receipt_key.into();
                receipt.verify(&key).unwrap();
                Ok(receipt)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Welcomes that were told of, fetched; the notices are taken out of the effects.
    pub(crate) fn take_welcomes(&mut self) -> Vec<Welcome> {
        let mut told = Vec::new();
        self.effects.retain(|effect| match effect {
            Effect::Notify(notify) => match &notify.notice {
                Notice::WelcomeWaiting(waiting) => {
                    assert_eq!(notify.to.device(), waiting.device);
                    told.push(notify.to.clone());
                    false
                }
                _ => true,
            },
            _ => true,
        });
        told.iter().filter_map(|client| self.newest_welcome(client)).collect()
    }

    /// The newest Welcome that waits for a device.
    fn newest_welcome(&mut self, client: &ClientId) -> Option<Welcome> {
        let fetch =
            FetchWelcomes { device: client.device(), acknowledged: Vec::new(), held: Vec::new() };
        match self.request(&client.user(), Request::FetchWelcomes(fetch)) {
            Ok(Answer::Welcomes(mut answer)) => answer.welcomes.pop(),
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn claim_request(group: &GroupId, users: &[UserId]) -> Request {
    Request::ClaimKeyPackages(ClaimKeyPackages {
        group: group.clone(),
        users: users.to_vec(),
        suites: vec![1],
        purpose: ClaimPurpose::Add,
    })
}

pub(crate) fn package_of(claimed: ClaimedClient) -> Vec<u8> {
    match claimed.outcome {
        ClaimOutcome::OneTime(package) | ClaimOutcome::LastResort(package) => package,
        other => panic!("no package: {other:?}"),
    }
}
