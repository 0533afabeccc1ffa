//! The authorities that this device goes by, domain for domain: pinned at first use, changed only by a
//! person's word.
//!
//! A hub names the anchors of the domains that it signs for; a group names those of all its members'
//! domains. What a group takes is decided by its context alone (decision 17); what is pinned here says whether
//! this device believes it, and what its own certificates are held against.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::event::AnchorsChanged;
use super::{Event, Member};
use crate::address::Network;
use crate::bridge_group::BridgeGroup;
use crate::identity::{TrustAnchor, TrustAnchors, is_anchor};
use crate::limits::{ANCHORS_MAX, DOMAINS_PINNED_MAX};
use crate::overlay::decode;
use crate::service::domain_of_service;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;
use crate::wire::hub_info::HubInfo;

/// [`DomainAnchors`] by domain.
const DOMAIN: Space = "domain_anchors";
/// The hash of the anchors of a group that were looked at last, by group.
const LOOKED_AT: Space = "group_anchors";

/// By whose word this device goes for a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum AnchorSource {
    /// The domain's own hub named them when it was first asked.
    Hub = 1u8,
    /// A group did, by way of the hub of another domain, which vouches for them.
    Group = 2u8,
    /// A person said so.
    Person = 3u8,
}

/// What this device knows of the authorities of a domain.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct DomainAnchors {
    /// The domain, as in [`TrustAnchor::domain`].
    pub domain: String,
    /// The anchors that are believed, at least one.
    pub known: TrustAnchors,
    /// By whose word.
    pub source: AnchorSource,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
    /// What the domain's hub names now, where that differs: it counts nothing until a person says so.
    pub offered: TrustAnchors,
    /// Whether certificates are issued for the domain by our hub, or, where that is another domain's, by the service
    /// that a person had asked about this device's own.
    pub issued_by_hub: bool,
}

impl Member {
    /// The authorities that this device knows, by domain.
    pub fn authorities(&self) -> Result<Vec<DomainAnchors>, StoreError> {
        let rows = self.overlay.scan(DOMAIN, &[], &[], DOMAINS_PINNED_MAX)?;
        rows.iter().map(|(_, value)| decode(DOMAIN, value)).collect()
    }

    /// What is known of the authorities of this device's own domain.
    pub(super) fn own_authority(&self) -> Result<Option<DomainAnchors>, StoreError> {
        self.domain_anchors(&self.client.user().domain())
    }

    /// Whether the hub issues certificates for our domain.
    pub(super) fn is_certified_by_hub(&self) -> Result<bool, StoreError> {
        Ok(self.own_authority()?.is_some_and(|own| own.issued_by_hub))
    }

    /// The anchors that a new group names: those that are believed of the hub's domains.
    pub(super) fn anchors_for_group(&self) -> Result<TrustAnchors, StoreError> {
        let by_hub = self.authorities()?.into_iter().filter(|domain| domain.issued_by_hub);
        Ok(TrustAnchors(by_hub.flat_map(|domain| domain.known.0).take(ANCHORS_MAX).collect()))
    }

    /// The hub names the anchors of its domains. Where certificates are asked of this device's own domain, the hub,
    /// which is another's, has no word about that.
    pub(super) fn anchors_of_hub(&mut self, info: &HubInfo) -> Result<(), StoreError> {
        let own = self.client.user().domain();
        let at_home = self.is_certified_at_home()? || self.is_asking_home();
        let named = by_domain(&info.anchors).into_iter();
        for (domain, named) in named.filter(|(domain, _)| !at_home || *domain != own) {
            let source = if info.is_of(&domain) { AnchorSource::Hub } else { AnchorSource::Group };
            self.anchors_named(&domain, named, source, true)?;
        }
        Ok(())
    }

    /// A hub names the anchors of a domain: they are pinned where none are; others than those are offered.
    pub(super) fn anchors_named(
        &mut self,
        domain: &str,
        named: TrustAnchors,
        source: AnchorSource,
        issued: bool,
    ) -> Result<(), StoreError> {
        let Some(pinned) = self.domain_anchors(domain)? else {
            return self.pin_anchors(&self.first_use(domain, &named, source, issued));
        };
        let same = pinned.knows_just(&named);
        let offered = if same { TrustAnchors::default() } else { named };
        let news = !offered.0.is_empty() && offered != pinned.offered;
        // What another hub vouched for the domain's own may confirm.
        let vouched = same && pinned.source == AnchorSource::Group;
        let changed = DomainAnchors {
            offered,
            source: if vouched { source } else { pinned.source },
            issued_by_hub: pinned.issued_by_hub || issued,
            ..pinned.clone()
        };
        if changed != pinned {
            self.pin_anchors(&changed)?;
        }
        match news {
            true => self.tell_of_anchors(&changed.known, &changed.offered, domain, None),
            false => Ok(()),
        }
    }

    /// A group names anchors: those of a domain that is not known are pinned, others are held against
    /// what is.
    pub(super) fn anchors_of_group(
        &mut self,
        group: &GroupId,
        bound: &BridgeGroup,
    ) -> Result<(), StoreError> {
        let hash = bound.anchors.hash();
        let place = group.0.as_slice();
        if self.overlay.get(LOOKED_AT, place)?.is_some_and(|last| last[..] == hash.0) {
            return Ok(());
        }
        self.overlay.put(LOOKED_AT, place, hash.0.to_vec());
        for (domain, named) in by_domain(&bound.anchors.0) {
            match self.domain_anchors(&domain)? {
                None => {
                    self.pin_anchors(&self.first_use(&domain, &named, AnchorSource::Group, false))?;
                }
                Some(pinned) if pinned.knows(&named) => {}
                Some(pinned) => {
                    self.tell_of_anchors(&pinned.known, &named, &domain, Some(group.clone()))?;
                }
            }
        }
        Ok(())
    }

    /// A group is gone.
    pub(super) fn forget_group_anchors(&self, group: &GroupId) {
        self.overlay.delete(LOOKED_AT, &group.0);
    }

    /// A person says which authorities a domain has: these, and no others.
    pub(super) fn trust_anchors(
        &mut self,
        number: u64,
        wanted: &DomainAnchorsCommand,
    ) -> Result<(), StoreError> {
        let DomainAnchorsCommand { domain, anchors } = wanted;
        let of_domain = anchors.0.iter().all(|anchor| anchor.domain == *domain);
        if anchors.0.is_empty() || !anchors.are_bounded() || !of_domain {
            let why = format!("name 1 to {ANCHORS_MAX} different authorities of {domain}");
            return self.fail(number, why);
        } else if !anchors.0.iter().all(|anchor| is_anchor(&anchor.certificate)) {
            return self.fail(number, "this is no certificate of an authority (X.509, DER)");
        }
        let before = self.domain_anchors(domain)?;
        if before.is_none() && self.authorities()?.len() >= DOMAINS_PINNED_MAX {
            return self.fail(number, format!("{DOMAINS_PINNED_MAX} domains are known already"));
        }
        let issued_by_hub = before.is_some_and(|before| before.issued_by_hub);
        let said = self.first_use(domain, anchors, AnchorSource::Person, issued_by_hub);
        self.pin_anchors(&said)?;
        self.ask_for_credentials_anew()?;
        self.done(number, None)
    }

    fn first_use(
        &self,
        domain: &str,
        named: &TrustAnchors,
        source: AnchorSource,
        issued_by_hub: bool,
    ) -> DomainAnchors {
        DomainAnchors {
            domain: domain.to_owned(),
            known: named.clone(),
            source,
            since_ms: self.now_ms,
            offered: TrustAnchors::default(),
            issued_by_hub,
        }
    }

    pub(super) fn domain_anchors(&self, domain: &str) -> Result<Option<DomainAnchors>, StoreError> {
        self.overlay.read(DOMAIN, domain.as_bytes())
    }

    /// Where too many are known already a domain stays unknown.
    fn pin_anchors(&self, anchors: &DomainAnchors) -> Result<(), StoreError> {
        let place = anchors.domain.as_bytes();
        let new = self.overlay.get(DOMAIN, place)?.is_none();
        if new && self.authorities()?.len() >= DOMAINS_PINNED_MAX {
            return Ok(());
        }
        self.overlay.write(DOMAIN, place, anchors)
    }

    fn tell_of_anchors(
        &mut self,
        known: &TrustAnchors,
        named: &TrustAnchors,
        domain: &str,
        group: Option<GroupId>,
    ) -> Result<(), StoreError> {
        let event = AnchorsChanged {
            domain: domain.to_owned(),
            known: known.fingerprints(),
            named: named.fingerprints(),
            group,
        };
        self.emit(Event::AnchorsChanged(event)).map(drop)
    }
}

/// What a person says of a domain.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct DomainAnchorsCommand {
    /// The domain.
    pub domain: String,
    /// All its authorities from now on.
    pub anchors: TrustAnchors,
}

impl DomainAnchors {
    /// Whether each of these is believed.
    pub fn knows(&self, named: &TrustAnchors) -> bool {
        named.0.iter().all(|anchor| self.known.0.contains(anchor))
    }

    /// Whether these are all that are believed.
    fn knows_just(&self, named: &TrustAnchors) -> bool {
        self.knows(named) && named.0.len() == self.known.0.len()
    }
}

impl HubInfo {
    /// Whether it is the domain's own hub: its addresses are that domain's.
    pub(super) fn is_of(&self, domain: &str) -> bool {
        [Network::Matrix, Network::Xmpp].into_iter().any(|network| {
            self.address_on(network).and_then(|at| domain_of_service(network, at)) == Some(domain)
        })
    }

    /// The anchors that it names for a domain.
    pub(super) fn anchors_for(&self, domain: &str) -> Option<TrustAnchors> {
        by_domain(&self.anchors).into_iter().find_map(|(of, named)| (of == domain).then_some(named))
    }
}

/// Each domain once, with its anchors.
fn by_domain(anchors: &[TrustAnchor]) -> Vec<(String, TrustAnchors)> {
    let mut domains: Vec<(String, TrustAnchors)> = Vec::new();
    for anchor in anchors.iter().take(ANCHORS_MAX) {
        match domains.iter_mut().find(|(domain, _)| *domain == anchor.domain) {
            Some((_, others)) => others.0.push(anchor.clone()),
            None => domains.push((anchor.domain.clone(), TrustAnchors(vec![anchor.clone()]))),
        }
    }
    domains.retain(|(_, anchors)| anchors.are_bounded());
    domains
}

#[cfg(test)]
crate::codec_properties::hold!(AnchorSource, DomainAnchors, DomainAnchorsCommand);
