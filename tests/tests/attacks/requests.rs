//! What members and strangers ask the hub and may not have.

use mls_core::wire::Request;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::submit_proposal::SubmitProposal;
use mls_rs::MlsMessage;
use tests::deadline::{STEP, until};
use tests::error::RigError;
use tests::rig::{Rig, shared};
use tests::tamper::Aim;

use crate::hub_door::HubDoor;
use crate::insider::Insider;
use crate::party::{Party, client_of};
use crate::stranger::Stranger;

fn assert_not_allowed(refusal: &Refusal, says: &str) {
    let right = matches!(refusal, Refusal::NotAllowed(why) if why.contains(says));
    assert!(right, "{refusal:?} is not a not_allowed of {says:?}");
}

fn assert_invalid_commit(refusal: &Refusal, says: &str) {
    let right = matches!(refusal, Refusal::InvalidCommit(why) if why.contains(says));
    assert!(right, "{refusal:?} is not an invalid_commit of {says:?}");
}

/// Mallory's doors to the hub on both networks, and her devices there.
fn strangers(rig: &Rig) -> Result<[(Stranger, HubDoor); 2], RigError> {
    let (matrix, xmpp) = (rig.matrix_user("mallory")?, rig.xmpp_user("mallory")?);
    let devices = [Stranger::new(&matrix, "MALLORY"), Stranger::new(&xmpp, "00000000000000ff")];
    let [first, second] = devices;
    Ok([(first, HubDoor::open(rig, &matrix)?), (second, HubDoor::open(rig, &xmpp)?)])
}

#[test]
fn a_commit_of_somebody_who_is_no_member_is_not_allowed() -> Result<(), RigError> {
    shared(|rig| {
        let party = Party::of_two(rig)?;
        let insider = Insider::of(&party.alice, &party.group_id()?)?;
        let stolen = insider.submission(|builder| builder);
        for (stranger, mut door) in strangers(rig)? {
            for commit in [stranger.external_commit(&insider), stolen.clone()] {
                let refusal = door.refused(&Request::SubmitCommit(commit))?;
                assert_not_allowed(&refusal, "this account is not in the group");
            }
        }
        for (bot, device) in [(&party.alice, "SECOND"), (&party.bob, "00000000000000ff")] {
            let mut door = HubDoor::open(rig, &bot.account)?;
            let second = Stranger::new(&bot.account, device).external_commit(&insider);
            let refusal = door.refused(&Request::SubmitCommit(second))?;
            assert_not_allowed(&refusal, "an external commit only brings a member back");
        }
        let mut door = HubDoor::open(rig, &party.bob.account)?;
        let refusal = door.refused(&Request::SubmitCommit(stolen))?;
        assert_not_allowed(&refusal, "only the committer's own account may submit a commit");
        party.unmoved_goes_on()
    })
}

#[test]
fn a_strangers_add_is_not_allowed_whoever_submits_it() -> Result<(), RigError> {
    shared(|rig| {
        let party = Party::of_two(rig)?;
        let (group, epoch) = (party.group_id()?, party.before.epoch);
        let insider = Insider::of(&party.alice, &group)?;
        for (stranger, mut door) in strangers(rig)? {
            for proposal in
                [stranger.new_member_add(&insider), stranger.add_in_the_hubs_name(&insider)]
            {
                let submit = SubmitProposal { group: group.clone(), epoch, proposal };
                let submit = Request::SubmitProposal(submit);
                let refusal = door.refused(&submit)?;
                assert_not_allowed(&refusal, "this account is not in the group");
                for member in [&party.alice, &party.bob] {
                    let refusal = HubDoor::open(rig, &member.account)?.refused(&submit)?;
                    assert_not_allowed(&refusal, "a proposal comes from a member");
                }
            }
        }
        party.unmoved_goes_on()
    })
}

/// The admin adds somebody by a key package that the hub did not hand out, then invites the same
/// person as it should.
fn no_unclaimed_package(rig: &Rig, party: Party, by_alice: bool) -> Result<(), RigError> {
    let admin = if by_alice { &party.alice } else { &party.bob };
    let (group, epoch) = (party.group_id()?, party.before.epoch);
    let insider = Insider::of(admin, &group)?;
    let carol = rig.matrix_bot("carol")?;
    let device = client_of(&carol)?.device();
    let package = Stranger::new(&carol.account, &device).key_package();
    let mut door = HubDoor::open(rig, &admin.account)?;
    let commit = insider.submission(|builder| builder.add_member(package.clone()).unwrap());
    let proposal = propose_add(&insider, package);
    for request in [
        Request::SubmitCommit(commit),
        Request::SubmitProposal(SubmitProposal { group, epoch, proposal }),
    ] {
        assert_invalid_commit(&door.refused(&request)?, "was not claimed for this group");
    }
    assert_eq!(party.group.converge(&party.all())?, party.before);
    party.group.invite(admin, &[&carol])?;
    party.with(carol)?.goes_on()
}

fn propose_add(insider: &Insider, package: MlsMessage) -> Vec<u8> {
    let proposal = insider.group(false).propose_add(package, Vec::new());
    proposal.unwrap().to_bytes().unwrap()
}

#[test]
fn an_add_from_matrix_of_a_key_package_that_was_not_claimed_is_an_invalid_commit()
-> Result<(), RigError> {
    shared(|rig| no_unclaimed_package(rig, Party::of_two(rig)?, true))
}

#[test]
fn an_add_from_xmpp_of_a_key_package_that_was_not_claimed_is_an_invalid_commit()
-> Result<(), RigError> {
    shared(|rig| no_unclaimed_package(rig, Party::of_two_by_bob(rig)?, false))
}

#[test]
fn a_member_that_damages_its_own_commit_and_signs_it_is_overcome() -> Result<(), RigError> {
    shared(|rig| {
        let party = Party::of_two(rig)?;
        let insider = Insider::of(&party.bob, &party.group_id()?)?;
        let mut door = HubDoor::open(rig, &party.bob.account)?;
        let bad = insider.damaged(|commit| Aim::COMMIT_SIGNATURE.flip_bytes(commit).unwrap());
        assert_invalid_commit(&door.refused(&Request::SubmitCommit(bad))?, "ignature");
        assert_eq!(party.group.converge(&party.all())?, party.before);
        // Only members have the key to check this one.
        let bad = insider.damaged(|commit| Aim::MEMBERSHIP_TAG.flip_bytes(commit).unwrap());
        door.ask(&Request::SubmitCommit(bad))?.unwrap();
        for bot in party.all() {
            // And comes back without being told to.
            party.wait_warned(bot, "tries to come back")?;
        }
        // Past the bad commit, and a way back for each.
        let back = party.before.epoch + 3;
        let both = || Ok((party.group.converge(&party.all())?.epoch >= back).then_some(()));
        until("both are back", STEP, both, String::new)?;
        party.goes_on()
    })
}
