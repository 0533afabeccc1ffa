//! A world whose authority is a service of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use mls_core::address::Network;
use mls_core::authority::Authority;
use mls_core::crypto::Crypto;
use mls_core::hub::{self, Effect, Hub, HubSetup, ReplyTo, RevokedList, Roles};
use mls_core::identity::Standing;
use mls_core::service::{Service, ServiceAddress};
use mls_core::store::MemoryStore;
use mls_core::wire::Request;

use crate::network::{Task, World};

/// A service beside the hub, and what it was asked.
pub(crate) struct Apart {
    at: ServiceAddress,
    hub: Hub,
    store: MemoryStore,
    /// By request id, as often as they came.
    asked: Vec<(String, Request)>,
    /// It takes what it is asked, and says nothing.
    pub(crate) silent: bool,
}

pub(crate) fn address(matrix: &str, xmpp: &str) -> ServiceAddress {
    ServiceAddress { matrix: Some(matrix.to_owned()), xmpp: Some(xmpp.to_owned()) }
}

fn of_authority() -> ServiceAddress {
    address("@authority:a.org", "authority.x.org")
}

pub(crate) fn root() -> Authority {
    Authority::make(&Crypto::system(), "both domains").unwrap().0
}

/// A service with a store of its own.
fn open(at: ServiceAddress, authority: Option<Authority>, roles: Roles) -> (Hub, MemoryStore) {
    let ServiceAddress { matrix, xmpp } = at;
    let (store, setup) = (MemoryStore::default(), HubSetup { matrix, xmpp, authority, roles });
    let (hub, writes) = Hub::open(Arc::new(store.clone()), setup).unwrap();
    store.apply(&writes);
    (hub, store)
}

impl World {
    /// A hub, an authority that signs with a key of its own, whose root the hub names where that is `known`,
    /// and these devices.
    pub(crate) fn apart(devices: &[(&str, &str)], signs: &Authority, known: &Authority) -> Self {
        let mut world = Self::new(&[]);
        let delivery = address("@mls:a.org", "mls.x.org");
        let roles = Roles::Authentication { delivery: delivery.clone() };
        let (hub, store) = open(of_authority(), Some(signs.clone()), roles);
        let at = of_authority();
        world.authority = Some(Apart { at, hub, store, asked: Vec::new(), silent: false });
        let roots = vec![known.anchor().to_vec()];
        let roles = Roles::Delivery { authority: of_authority(), roots };
        (world.hub, world.hub_store) = open(delivery, None, roles);
        // All that servers see is sealed, for either service.
        world.servers_see = Some(Vec::new());
        for (account, device) in devices {
            world.add(account, device);
        }
        world.run();
        world.pass(30);
        world
    }

    /// The hub of another domain, which serves both networks there.
    pub(crate) fn add_other_hub(&mut self, matrix: &str, xmpp: &str, authority: &Authority) {
        let (hub, store) = open(address(matrix, xmpp), Some(authority.clone()), Roles::Both);
        let at = address(matrix, xmpp);
        self.other_hubs.push(Apart { at, hub, store, asked: Vec::new(), silent: false });
    }

    /// Who is where a device asks a service beside the hub.
    fn apart_at(&mut self, index: usize, service: &Service) -> Option<&mut Apart> {
        let at = match service {
            Service::Delivery => None,
            Service::Authentication => self.nodes[index].member.sealer().authority_at(),
            Service::OtherHub(at) => Some(at.clone()),
        };
        let is_there = |apart: &&mut Apart| {
            let mut networks = [Network::Matrix, Network::Xmpp].into_iter();
            at.is_some() && networks.any(|network| apart.at.on(network) == at.as_deref())
        };
        self.authority.iter_mut().chain(&mut self.other_hubs).find(is_there)
    }

    /// A service beside the hub is asked, and answers at once.
    pub(crate) fn ask_apart(&mut self, to: &Service, index: usize, id: &str, request: &Request) {
        let from = self.user(index);
        let id = id.to_owned();
        let sealer = self.nodes[index].member.sealer();
        let sealed = sealer.seal(to, &id, request).unwrap();
        let Some(apart) = self.apart_at(index, to) else { return };
        apart.asked.push((id.clone(), request.clone()));
        if apart.silent {
            return;
        }
        let reply_to = match from.network() {
            Network::Matrix => ReplyTo::ControlRoom(index.to_string()),
            Network::Xmpp => ReplyTo::Jid(index.to_string()),
        };
        let mut inputs = vec![hub::Input::asked(from, reply_to, id, sealed)];
        while let Some(input) = inputs.pop() {
            let now_ms = self.now_ms;
            let apart = self.apart_at(index, to).unwrap();
            let outcome = apart.hub.handle(now_ms, input).unwrap();
            apart.store.apply(&outcome.writes);
            for effect in outcome.effects {
                match effect {
                    Effect::QueryDevice(query) => {
                        let key = self.nodes[index].member.signature_key().to_vec();
                        let said = hub::DeviceKey { job: query.job, result: Ok(Some(key)) };
                        inputs.push(hub::Input::DeviceKey(said));
                    }
                    other => self.carry_out(to, other),
                }
            }
        }
    }

    /// The hub is given the authority's list.
    pub(crate) fn carry_list(&mut self, root: &Authority) {
        let apart = self.authority.as_ref().unwrap();
        let bytes = apart.hub.signed_revoked_list(self.now_ms).unwrap();
        let roots = [root.anchor().to_vec()];
        let list = RevokedList::verify(&bytes, &roots, self.now_ms).unwrap();
        self.queue.push_back(Task::ToHub(hub::Input::Revoked(list)));
        self.pass(40);
    }

    pub(crate) fn certified(&self, index: usize) -> usize {
        let group = self.nodes[index].member.groups().unwrap().remove(0);
        let vouched = |standing: &Standing| matches!(standing, Standing::Vouched { .. });
        group.members.iter().filter(|member| vouched(&member.standing)).count()
    }

    /// How often it was asked, and how many requests that were.
    pub(crate) fn asked_authority(&self, what: fn(&Request) -> bool) -> (usize, usize) {
        let asked = self.authority.iter().flat_map(|apart| &apart.asked);
        let ids: Vec<_> = asked.filter(|(_, request)| what(request)).map(|(id, _)| id).collect();
        (ids.len(), ids.iter().collect::<BTreeSet<_>>().len())
    }
}
