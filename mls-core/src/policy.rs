//! What RFC 9750 section 7 leaves to a deployment; each value is explained in docs/policies.md.
//! Values that are bounds stand in [`crate::limits`]. Hub and members enforce both alike.

use mls_rs_core::crypto::CipherSuite;
use mls_rs_core::extension::ExtensionType;
use mls_rs_core::identity::CredentialType;

use crate::limits::DAY_MS;

/// Suites that we can use, the one that everybody must have first. All are of 128 bits.
pub const CIPHER_SUITES: [CipherSuite; 3] =
    [CipherSuite::CURVE25519_AES128, CipherSuite::P256_AES128, CipherSuite::CURVE25519_CHACHA];
/// The GroupContext extension that binds a group to its hub and rooms.
pub const BRIDGE_GROUP_EXTENSION: ExtensionType = ExtensionType::new(0xFB71);
/// The types of credentials that every leaf lists, and that every group requires.
pub const CREDENTIAL_TYPES: [CredentialType; 2] = [CredentialType::BASIC, CredentialType::X509];
/// The KeyPackage extension that marks a last-resort package.
pub const LAST_RESORT_EXTENSION: ExtensionType = ExtensionType::new(0x000A);
/// The leaf node extension that names the external PSKs that a member holds.
pub const HELD_PSKS_EXTENSION: ExtensionType = ExtensionType::new(0xFB72);
/// The leaf node extension by which a user's identity key and a device sign a leaf.
pub const USER_IDENTITY_EXTENSION: ExtensionType = ExtensionType::new(0xFB73);
/// Resumption PSKs of so many epochs before the current one may be used.
pub const RESUMPTION_PSK_EPOCHS: u64 = 3;
/// A key package lives at most this long, in seconds; older engines' 365 days are refused.
pub const KEY_PACKAGE_LIFETIME_S: u64 = 84 * 24 * 3600;
/// A key package may start to live this long before it was made, in seconds.
pub const KEY_PACKAGE_BACKDATING_S: u64 = 3600;
/// Key packages are replaced at this age.
pub const KEY_PACKAGE_ROTATE_MS: u64 = 30 * DAY_MS;
/// One-time key packages that a device keeps published of the suite that everybody must have.
pub const KEY_PACKAGE_POOL: u32 = 100;
/// The same of each other suite, whose groups are few.
pub const KEY_PACKAGE_POOL_OTHER: u32 = 10;
/// Epochs before the current one whose messages are still read and relayed.
pub const PAST_EPOCHS: u64 = 32;
/// One-time key packages of a suite that a device keeps published; it fills the pool again below
/// half of that.
pub fn key_package_pool(suite: CipherSuite) -> u32 {
    if CIPHER_SUITES.first() == Some(&suite) { KEY_PACKAGE_POOL } else { KEY_PACKAGE_POOL_OTHER }
}

/// A credential that the authority issues lives so long.
pub const CREDENTIAL_LIFETIME_MS: u64 = 90 * DAY_MS;
/// The authority signs no credential that would end sooner, because its own certificate does.
pub const CREDENTIAL_LIFETIME_MIN_MS: u64 = 14 * DAY_MS;
/// A client has its credential renewed at this age, or at two thirds of its life if that is shorter.
pub const CREDENTIAL_RENEW_MS: u64 = 60 * DAY_MS;
/// A list of revoked certificates is good for so long. A new one is made with each revocation, and when half
/// of its time is over.
pub const REVOCATION_LIST_LIFETIME_MS: u64 = DAY_MS;
/// Credentials per hour and user: one for each of the groups of all its devices, and some more.
pub const CREDENTIALS_PER_HOUR: u32 = 500;
/// Length of a group id.
pub const GROUP_ID_BYTES: usize = 16;
/// After joining and then this often a member renews its leaf.
pub const LEAF_UPDATE_MS: u64 = 7 * DAY_MS;
/// A member also renews its leaf after so many messages of its own.
pub const LEAF_UPDATE_MESSAGES: u32 = 1000;
/// The first message waits for a leaf update in groups up to this size; 0 switches that off.
pub const LEAF_UPDATE_BEFORE_MESSAGE_MEMBERS_MAX: usize = 8;
/// In a larger or busy group the leaf update follows the first message within this.
pub const BUSY_TREE_UPDATE_MS: u64 = 3600 * 1000;
/// After a commit without a path its committer renews its leaf within this.
pub const PATHLESS_UPDATE_MS: u64 = DAY_MS;
/// A leaf that was not renewed for so long is proposed for removal.
pub const LEAF_IDLE_MS: u64 = 77 * DAY_MS;
/// A leaf is proposed for removal this long before its key package's lifetime ends.
pub const LEAF_LIFETIME_LEFT_MS: u64 = 7 * DAY_MS;
/// Past epochs are deleted at this age, even if no new one comes.
pub const PAST_EPOCH_KEEP_MS: u64 = 2 * DAY_MS;
/// A group that its room orders goes back at most so many epochs for a commit that beats its own.
pub const ROOM_REWIND_EPOCHS: u64 = 5;
/// And to none that ended longer ago than this.
pub const ROOM_REWIND_MS: u64 = 2 * DAY_MS;
/// A member says its checkpoint again after this, where an epoch lasts that long.
pub const CHECKPOINT_REPEAT_MS: u64 = DAY_MS / 4;
/// People are told where the other network sends messages, and for so long no checkpoint.
pub const NO_CHECKPOINT_NOTICE_MS: u64 = DAY_MS;
/// How long a member keeps the log of a group's membership.
pub const MEMBERSHIP_LOG_KEEP_MS: u64 = 365 * DAY_MS;
/// Pending proposals are committed after this times the rank, for the first three ranks.
pub const COMMIT_RANK_STEP_MS: u64 = 15_000;
/// Commits per hour, group and user.
pub const COMMITS_PER_HOUR: u32 = 60;
/// Proposals per hour, group and user: all that one commit may refer to.
pub const PROPOSALS_PER_HOUR: u32 = 600;
/// Claims per hour, claimer and target.
pub const CLAIMS_PER_HOUR: u32 = 20;
/// One-time packages of one target per day; after that its last resort is handed out.
pub const ONE_TIME_CLAIMS_PER_DAY: u32 = 50;
/// Requests to publish key packages per hour and user.
pub const PUBLICATIONS_PER_HOUR: u32 = 200;
/// Reports of one handshake per hour that are passed on to the admins.
pub const REPORTS_PER_HOUR: u32 = 1;
/// A published key package lives at least this long from then, or it would only be work.
pub const KEY_PACKAGE_LEFT_MS: u64 = DAY_MS;
/// New groups per hour and user.
pub const GROUPS_PER_HOUR: u32 = 100;
/// Messages per second and sender, over time; what comes faster is held back.
pub const MESSAGES_PER_SECOND: u32 = 10;
/// Messages of one sender at once, before any is held back.
pub const MESSAGES_BURST: u32 = 1000;
