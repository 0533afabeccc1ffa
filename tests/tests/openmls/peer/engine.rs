//! What has to be set in OpenMLS for groups of this bridge. docs/interop.md shows a part of this
//! file, and a test holds the two together.

use mls_core::policy::{
    BRIDGE_GROUP_EXTENSION, CIPHER_SUITES, HELD_PSKS_EXTENSION, KEY_PACKAGE_LIFETIME_S,
    PAST_EPOCHS, RESUMPTION_PSK_EPOCHS,
};
use openmls::prelude::{
    Capabilities, Ciphersuite, CredentialType, ExtensionType, Lifetime, MlsGroupCreateConfig,
    MlsGroupJoinConfig, OpenMlsRand, PURE_PLAINTEXT_WIRE_FORMAT_POLICY, ProtocolVersion,
    SenderRatchetConfiguration,
};

use super::PeerError;

/// 0xFB71: the GroupContext extension that names the hub and the rooms.
pub(super) const BRIDGE_GROUP: u16 = BRIDGE_GROUP_EXTENSION.raw_value();
/// 0xFB72: the leaf extension that names the external PSKs that a member holds.
pub(super) const HELD_PSKS: u16 = HELD_PSKS_EXTENSION.raw_value();
/// What every leaf lists: the GroupContext extension, the mark of a last-resort package, and what
/// may stand in the leaf itself.
const EXTENSIONS: [ExtensionType; 3] = [
    ExtensionType::Unknown(BRIDGE_GROUP),
    ExtensionType::LastResort,
    ExtensionType::Unknown(HELD_PSKS),
];
/// Every leaf lists both, so that a group can move to certificates.
pub(super) const CREDENTIALS: [CredentialType; 2] = [CredentialType::Basic, CredentialType::X509];
/// Generations of one sender in one epoch that may be missing before one that is read.
const OUT_OF_ORDER: u32 = 1024;
/// Generations that one message may be ahead.
const FORWARD: u32 = 1000;
/// Past epochs whose resumption PSKs may be used.
const RESUMPTION_PSKS: usize = RESUMPTION_PSK_EPOCHS as usize;
/// Messages are padded to a multiple of so many bytes.
const PADDING_BYTES: usize = 128;

/// What every leaf lists: of a key package, of a group's creator, of an update and of an
/// external commit.
pub(super) fn capabilities(rand: &impl OpenMlsRand) -> Result<Capabilities, PeerError> {
    let suites = CIPHER_SUITES.map(u16::from).into_iter().map(Ciphersuite::try_from);
    let suites = suites.collect::<Result<Vec<_>, _>>().map_err(PeerError::new)?;
    Ok(Capabilities::new(
        Some(&[ProtocolVersion::Mls10]),
        Some(&suites),
        Some(&EXTENSIONS),
        None,
        Some(&CREDENTIALS),
    )
    // Values that mean nothing, so that nobody comes to rely on there being none (RFC 9420 13.5).
    .with_grease(rand))
}

/// 84 days, and one hour before now.
pub(super) fn lifetime() -> Lifetime {
    Lifetime::new(KEY_PACKAGE_LIFETIME_S)
}

/// For joining by a Welcome or an external commit. Handshakes are PublicMessages, which the hub
/// can check, and nothing else is taken for one; the ratchet tree travels beside the Welcome.
pub(super) fn join_config() -> Result<MlsGroupJoinConfig, PeerError> {
    Ok(MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
        .use_ratchet_tree_extension(false)
        .sender_ratchet_configuration(SenderRatchetConfiguration::new(OUT_OF_ORDER, FORWARD))
        .max_past_epochs(usize::try_from(PAST_EPOCHS).map_err(PeerError::new)?)
        .number_of_resumption_psks(RESUMPTION_PSKS)
        .padding_size(PADDING_BYTES)
        .build())
}

/// The same for a group that this device creates.
pub(super) fn create_config(
    rand: &impl OpenMlsRand,
    suite: Ciphersuite,
    extensions: openmls::prelude::Extensions<openmls::prelude::GroupContext>,
) -> Result<MlsGroupCreateConfig, PeerError> {
    Ok(MlsGroupCreateConfig::builder()
        .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
        .use_ratchet_tree_extension(false)
        .sender_ratchet_configuration(SenderRatchetConfiguration::new(OUT_OF_ORDER, FORWARD))
        .max_past_epochs(usize::try_from(PAST_EPOCHS).map_err(PeerError::new)?)
        .number_of_resumption_psks(RESUMPTION_PSKS)
        .padding_size(PADDING_BYTES)
        .ciphersuite(suite)
        .lifetime(lifetime())
        .capabilities(capabilities(rand)?)
        .with_group_context_extensions(extensions)
        .build())
}
