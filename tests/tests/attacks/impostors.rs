//! Who says that it is somebody else: by certificates, by requests for them, and by KeyPackages.

use matrix_adapter::mapping::device_keys::UnsignedDeviceKeys;
use matrix_adapter::mapping::json::base64_text;
use matrix_adapter::mapping::key_package::one_time_id;
use mls_core::address::ClientId;
use mls_core::authority::Authority;
use mls_core::crypto::Crypto;
use mls_core::engine;
use mls_core::identity::credential;
use mls_core::wire::Request;
use mls_core::wire::issue_credential::{IssueCredential, proof_of};
use mls_core::wire::publish_key_packages::{KeyPackageBytes, PublishKeyPackages};
use mls_core::wire::refusal::Refusal;
use serde_json::json;
use tests::bot::Bot;
use tests::error::RigError;
use tests::matrix_session::MatrixSession;
use tests::rig::{Options, Rig, own, shared};

use crate::hub_door::HubDoor;
use crate::insider::{Insider, SUITE};
use crate::papers::{FreshKey, showing, stolen_authority};
use crate::party::{Party, client_of};
use crate::stranger::Stranger;

/// A member's commit that shows this credential is refused, and why.
fn refused_to_show(
    rig: &Rig,
    party: &Party,
    bot: &Bot,
    show: impl FnOnce(&ClientId, &FreshKey) -> mls_rs_core::identity::Credential,
) -> Result<String, RigError> {
    let insider = Insider::of(bot, &party.group_id()?)?;
    let key = FreshKey::make();
    let commit = showing(&insider, &key, show(&client_of(bot)?, &key));
    match HubDoor::open(rig, &bot.account)?.refused(&Request::SubmitCommit(commit))? {
        Refusal::InvalidCommit(why) => Ok(why),
        other => Err(RigError::Answer(format!("{other:?} is not an invalid_commit"))),
    }
}

#[test]
fn a_certificate_that_another_authority_has_forged_is_refused() -> Result<(), RigError> {
    shared(|rig| {
        let party = Party::of_two(rig)?;
        let (forger, _) = Authority::make(&Crypto::system(), "mls-bridge of localhost").unwrap();
        for bot in [&party.alice, &party.bob] {
            let show = |own: &ClientId, key: &FreshKey| key.certified(&forger, own, 0);
            let why = refused_to_show(rig, &party, bot, show)?;
            assert!(why.contains("no valid path to its domain's trust anchor"), "{why}");
        }
        party.unmoved_goes_on()
    })
}

#[test]
fn not_even_the_right_authority_makes_a_leaf_of_what_has_ended_or_is_anothers()
-> Result<(), RigError> {
    own(Options::default(), |rig| {
        let party = Party::of_two(rig)?;
        let authority = stolen_authority(rig)?;
        for (bot, other) in [(&party.alice, &party.bob), (&party.bob, &party.alice)] {
            let sound = FreshKey::make();
            let others = Stranger::new(&other.account, "0000000000000001").key.client;
            let refused = |says: &str, show: &dyn Fn(&ClientId, &FreshKey) -> _| {
                let why = refused_to_show(rig, &party, bot, show)?;
                assert!(why.contains(says), "{says:?} is not in {why:?}");
                Ok::<_, RigError>(())
            };
            // Certificates last 90 days.
            refused("Expired", &|own, key| key.certified(&authority, own, 100))?;
            refused("not a valid successor", &|_, key| key.certified(&authority, &others, 0))?;
            refused("not a valid successor", &|_, _| credential(&others))?;
            refused("for another signature key", &|own, _| sound.certified(&authority, own, 0))?;
        }
        party.unmoved_goes_on()
    })
}

/// A request for a certificate, with the proof that its device's key asks.
fn asks_for(client: &ClientId) -> Request {
    let request = FreshKey::make().request(client);
    let device = FreshKey::make();
    let proof = engine::sign(SUITE, &device.secret, &proof_of(&request)).unwrap();
    let device_key = device.public.to_vec();
    Request::IssueCredential(IssueCredential { request, device_key, proof })
}

#[test]
fn the_authority_signs_for_nobody_but_the_asker_and_for_no_device_but_its_own()
-> Result<(), RigError> {
    shared(|rig| {
        let party = Party::of_two(rig)?;
        for (bot, other) in [(&party.alice, &party.bob), (&party.bob, &party.alice)] {
            let mut door = HubDoor::open(rig, &bot.account)?;
            for (client, says) in [
                (client_of(other)?, "cannot ask for"),
                (client_of(bot)?, "this device has another key"),
            ] {
                let refusal = door.refused(&asks_for(&client))?;
                let right = matches!(&refusal, Refusal::NotAllowed(why) if why.contains(says));
                assert!(right, "{refusal:?} does not say {says:?}");
            }
        }
        let unlisted = Stranger::new(&party.alice.account, "NOWHERE").key.client;
        let refusal = HubDoor::open(rig, &party.alice.account)?.refused(&asks_for(&unlisted))?;
        let says = "the homeserver does not list this key";
        let right = matches!(&refusal, Refusal::NotAllowed(why) if why.contains(says));
        assert!(right, "{refusal:?} does not say {says:?}");
        party.unmoved_goes_on()
    })
}

/// A KeyPackage with a key of the maker's own, in the name of somebody's device.
fn in_the_name_of(victim: &Bot) -> Result<Vec<u8>, RigError> {
    let impostor = Stranger::new(&victim.account, &client_of(victim)?.device());
    Ok(impostor.key_package().to_bytes().unwrap())
}

#[test]
fn on_xmpp_nobody_publishes_key_packages_in_anothers_name() -> Result<(), RigError> {
    shared(|rig| {
        let party = Party::of_two(rig)?;
        let mut door = HubDoor::open(rig, &rig.xmpp_user("mallory")?)?;
        for victim in [&party.alice, &party.bob] {
            let one_time = vec![KeyPackageBytes(in_the_name_of(victim)?)];
            let device = "00000000000000ff".to_owned();
            let publish = PublishKeyPackages { device, one_time, last_resort: None };
            let refusal = door.refused(&Request::PublishKeyPackages(publish))?;
            let right =
                matches!(&refusal, Refusal::Invalid(why) if why.contains("a key package is for"));
            assert!(right, "{refusal:?}");
        }
        party.unmoved_goes_on()
    })
}

/// Has a new device of an account announce itself, with one package that anybody who claims gets.
fn announce(session: &MatrixSession, package: &[u8]) -> Result<(), RigError> {
    let me = session.call("GET", "/_matrix/client/v3/account/whoami", &json!({}))?;
    let [user, device] = ["user_id", "device_id"].map(|field| me[field].as_str().unwrap());
    let suite = SUITE.into();
    let key = FreshKey::make();
    let keys = UnsignedDeviceKeys::new(user, device, &[suite], &key.public).unwrap();
    let signature = engine::sign(SUITE, &key.secret, &keys.to_be_signed().unwrap()).unwrap();
    let id = one_time_id(suite, &[1; 32]).unwrap();
    let body = json!({
        "device_keys": keys.signed(&signature), "one_time_keys": {id: base64_text(package)},
    });
    session.call("POST", "/_matrix/client/v3/keys/upload", &body).map(drop)
}

#[test]
fn on_matrix_a_key_package_in_anothers_name_brings_nobody_into_a_group() -> Result<(), RigError> {
    shared(|rig| {
        let party = Party::of_two(rig)?;
        let mallory = rig.matrix_user("mallory")?;
        let session = MatrixSession::login(rig.synapse.port, &mallory)?;
        announce(&session, &in_the_name_of(&party.bob)?)?;
        let invite = json!({
            "command": "invite", "group": party.group.id, "users": [mallory.address],
        });
        let failed = party.alice.command(invite).unwrap_err().to_string();
        assert!(failed.contains("has no key package left"), "{failed}");
        party.unmoved_goes_on()
    })
}
