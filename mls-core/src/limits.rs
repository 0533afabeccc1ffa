//! Every bound of the protocol and of mls-core, in one file: sizes in bytes, times in milliseconds unless named.

/// All parts of one event or stanza together, raw; larger parts travel as blobs.
pub const INLINE_BYTES_MAX: usize = 32 * 1024;
/// One application message (a whole PrivateMessage); it never travels as a blob.
pub const APPLICATION_BYTES_MAX: usize = 32 * 1024;
/// Plaintext of one application message, before padding.
pub const PLAINTEXT_BYTES_MAX: usize = 24 * 1024;
/// One MLS object (commit, Welcome, GroupInfo, tree), inline or as a blob.
pub const OBJECT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// One chunk of a blob in a request or an answer.
pub const BLOB_CHUNK_BYTES: usize = 24 * 1024;
/// Blobs that one account may have stored and not yet used, together.
pub const BLOB_BYTES_PER_USER_MAX: usize = 16 * 1024 * 1024;
/// An upload that is not used by then is taken away, and its blob with it.
pub const UPLOAD_KEEP_MS: u64 = DAY_MS;
/// How long a blob is kept.
pub const BLOB_KEEP_MS: u64 = 30 * DAY_MS;
/// A stanza or event that our own sender lets out, as serialised text.
pub const STANZA_BYTES_MAX: usize = 60_000;
/// A stanza that we still read; a longer one is dropped, the stream lives.
pub const STANZA_READ_BYTES_MAX: usize = 600_000;
/// Nesting of XML elements in a stanza that we read.
pub const STANZA_DEPTH_MAX: usize = 64;
/// Body of one application-service transaction.
pub const TRANSACTION_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A group id, an account, a room address, a device id, a name.
pub const NAME_BYTES_MAX: usize = 1024;
/// Key packages in one publication.
pub const KEY_PACKAGES_PER_PUBLISH_MAX: usize = 64;
/// One encoded key package.
pub const KEY_PACKAGE_BYTES_MAX: usize = 16 * 1024;
/// Private parts of key packages that a device keeps: where it has so many, it makes no one-time packages until some of
/// them have ended.
pub const KEY_PACKAGES_KEPT_MAX: usize = 10_000;
/// Private parts that are looked at, at once, for those that have ended.
pub const KEY_PACKAGES_SWEPT_AT_ONCE: usize = 1024;
/// Devices of one user that a claim considers.
pub const DEVICES_PER_USER_MAX: usize = 32;
/// Users in one claim.
pub const USERS_PER_CLAIM_MAX: usize = 50;
/// Adds by value in one commit: whole key packages, which the commit carries to everybody.
pub const ADDS_BY_VALUE_PER_COMMIT_MAX: usize = 50;
/// Adds by reference in one commit; everybody has them already.
pub const ADDS_BY_REFERENCE_PER_COMMIT_MAX: usize = 500;
/// External PSKs that a leaf names.
pub const PSKS_HELD_MAX: usize = 32;
/// An external PSK; RFC 9420 recommends the length of the suite's hash.
pub const PSK_BYTES_MAX: usize = 1024;
/// An external PSK has at least 128 bits.
pub const PSK_BYTES_MIN: usize = 16;
/// Bytes that one export gives at most; RFC 9420's KDF gives 255 times its hash's length.
pub const EXPORT_BYTES_MAX: usize = 8160;
/// PreSharedKey proposals in one commit.
pub const PSKS_PER_COMMIT_MAX: usize = 8;
/// Certificates in one credential: the leaf, and what is between it and the trust anchor.
pub const CERTIFICATES_PER_CHAIN_MAX: usize = 3;
/// One certificate.
pub const CERTIFICATE_BYTES_MAX: usize = 2 * 1024;
/// Key packages wait so long for their first certificate.
pub const CREDENTIAL_PATIENCE_MS: u64 = 60_000;
/// After a refusal no certificate is asked for again before this.
pub const CREDENTIAL_AGAIN_MS: u64 = DAY_MS;
/// A device that knows that it is revoked asks again after this, for that may have been undone.
pub const REVOKED_AGAIN_MS: u64 = 6 * 60 * 60 * 1000;
/// A certificate that is over when it comes is asked for again at once, for it may have been on its way for long; one
/// that is over again after this, and each time after twice as long, up to [`CREDENTIAL_AGAIN_MS`].
pub const CREDENTIAL_ENDED_AGAIN_MS: u64 = 60_000;
/// Devices of one user that ever got a certificate of one authority.
pub const CERTIFIED_DEVICES_PER_USER_MAX: usize = 256;
/// Groups that are renewed at once where a device renews its keys everywhere.
pub const RENEWALS_AT_ONCE_MAX: usize = 8;
/// A group that cannot be renewed for so long is left out.
pub const RENEWAL_WAIT_MS: u64 = 60 * 60 * 1000;
/// Groups that are named of those that were left out.
pub const RENEWAL_FAILURES_NAMED_MAX: usize = 20;
/// Domains whose authorities a device knows.
pub const DOMAINS_PINNED_MAX: usize = 256;
/// Users whose identity keys a device knows; of more it pins none.
pub const KNOWN_IDENTITIES_MAX: usize = 10_000;
/// Devices of one user that are revoked; none of them is ever forgotten.
pub const REVOKED_DEVICES_PER_USER_MAX: usize = 1024;
/// Certificates that a list of revoked ones names: about 40 bytes each. Those beyond it count no more for the
/// hub, and are removed, but no list says so.
pub const REVOKED_CERTIFICATES_MAX: usize = 50_000;
/// Lists of revoked certificates, one of each issuer: of the key that signs now, and of those before it under which
/// certificates may still be valid.
pub const REVOCATION_LISTS_MAX: usize = 4;
/// Accounts and devices together that an operator is shown as revoked.
pub const REVOKED_LISTED_MAX: usize = 100_000;
/// Accounts of which the hub asks the homeserver at once, each minute, which devices they have.
pub const ACCOUNTS_LOOKED_AT_ONCE_MAX: usize = 20;
/// When it has asked of all, it begins anew after this.
pub const LOOK_AT_ACCOUNTS_AGAIN_MS: u64 = 6 * 60 * 60 * 1000;
/// A device is revoked that two answers of the homeserver lack, this far apart: asked with two ticks of a
/// minute.
pub const GONE_PAUSE_MS: u64 = 50 * 1000;
/// A device that is in one group of its user, and not in the others, is pointed out after this.
pub const LONE_DEVICE_AFTER_MS: u64 = 2 * DAY_MS;
/// Groups are looked through for such devices again after this.
pub const LONE_DEVICES_AGAIN_MS: u64 = 6 * 60 * 60 * 1000;
/// Such devices that a member remembers.
pub const LONE_DEVICES_MAX: usize = 1000;
/// A member asks for the list of revoked certificates again after this.
pub const REVOCATIONS_AGAIN_MS: u64 = 6 * 60 * 60 * 1000;
/// Entries of a log of certificates; a head that names more is refused.
pub const LOG_ENTRIES_MAX: u64 = 1 << 40;
/// Hashes of one proof about such a log: those of the longest are one more than the logarithm.
pub const LOG_PROOF_HASHES_MAX: usize = 41;
/// Leaves of such a log in one answer to `FetchLogLeaves`, of 64 bytes each.
pub const LOG_LEAVES_PER_FETCH_MAX: usize = 500;
/// A member looks into such a log again after this.
pub const LOG_AGAIN_MS: u64 = 6 * 60 * 60 * 1000;
/// And after this where a person asks.
pub const LOG_ASKED_AGAIN_MS: u64 = 10 * 1000;
/// Certificates of others that a member has proven each time.
pub const LOG_PROOFS_PER_LOOK_MAX: usize = 64;
/// Certificates of others of which a member remembers that they were looked for; looked through at once. More
/// than it can look for while a certificate is good: so many each time, four times a day, for 90 days.
pub const LOG_PROVEN_MAX: usize = 25_000;
/// Entries in the name of one user that a member reads and keeps.
pub const LOG_OWN_LEAVES_MAX: usize = 10_000;
/// Keys for which a device remembers that it asked for a certificate; looked through at once.
pub const LOG_ASKED_KEYS_MAX: usize = 10_000;
/// Forks of such a log that a device remembers.
pub const LOG_FORKS_KEPT_MAX: usize = 16;
/// Entries of such a log in one answer to `FetchOwnEntries`, as far as they fit.
pub const LOG_ENTRIES_PER_FETCH_MAX: usize = 50;
/// Replaced roots of an authority whose certificates may still be valid, beside the current one.
pub const FORMER_ROOTS_MAX: usize = 2;
/// Trust anchors that a group names.
pub const ANCHORS_MAX: usize = 32;
/// Leaves in one group.
pub const MEMBERS_MAX: usize = 10_000;
/// Admins in one group.
pub const ADMINS_MAX: usize = 100;
/// Handshakes in one answer to `FetchHandshakes`.
pub const HANDSHAKES_PER_FETCH_MAX: usize = 20;
/// Welcomes in one answer to `FetchWelcomes`.
pub const WELCOMES_PER_FETCH_MAX: usize = 5;
/// Handshakes kept for a group.
pub const HANDSHAKES_KEPT_MAX: u64 = 10_000;
/// How long a handshake is kept.
pub const HANDSHAKE_KEEP_MS: u64 = 90 * DAY_MS;
/// How long a Welcome that nobody fetched is kept.
pub const WELCOME_KEEP_MS: u64 = 84 * DAY_MS;
/// How long an answer is kept for a request that is asked again.
pub const ANSWER_KEEP_MS: u64 = DAY_MS;
/// How long the record of a claimed key package is kept.
pub const CLAIM_KEEP_MS: u64 = 30 * DAY_MS;
/// How long the same claim is answered with the same package.
pub const CLAIM_SAME_ANSWER_MS: u64 = DAY_MS;
/// Handshakes after which the hub writes a new snapshot of the public group.
pub const HANDSHAKES_PER_SNAPSHOT: u64 = 32;
/// Messages from future epochs that a member buffers for one group.
pub const FUTURE_MESSAGES_MAX: usize = 1000;
/// How long a message from a future epoch is buffered; a commit that a room brings, as long as it can take epochs
/// back ([`ROOM_REWIND_MS`](crate::policy::ROOM_REWIND_MS)).
pub const FUTURE_KEEP_MS: u64 = DAY_MS;
/// Hashes of relayed messages that the hub remembers for one group.
pub const SEEN_MESSAGES_MAX: usize = 20_000;
/// Commands of the user that wait in one member.
pub const INTENTS_MAX: usize = 1000;
/// Attempts of one commit before its command fails.
pub const COMMIT_ATTEMPTS_MAX: u32 = 10;
/// Wait after a lost race: random up to this, times the attempt.
pub const COMMIT_RETRY_MS: u64 = 2_000;
/// A request without an answer is sent again after this.
pub const REQUEST_RETRY_MS: u64 = 15_000;
/// A request that was refused for now is sent again after this at the latest, however long the refusal says. No wait that
/// a hub names is longer than some minutes.
pub const RETRY_AFTER_MAX_MS: u64 = 60 * 60 * 1000;
/// After so many application messages, a member's next tick writes a snapshot of their group.
pub const MESSAGES_PER_SNAPSHOT: u32 = 64;
/// After so many, the message itself does.
pub const MESSAGES_WITHOUT_SNAPSHOT_MAX: u32 = 128;
/// Between two snapshots a member reads a group again at most so often for a message that lacks
/// its key.
pub const GROUP_READINGS_MAX: u32 = 32;
/// Generations of the own ratchet that are reserved at once: at least these,
pub const GENERATIONS_RESERVED_MIN: u32 = 4;
/// as many as were sent, at most these.
pub const GENERATIONS_RESERVED_MAX: u32 = 64;
/// Numbers (of events, commands, requests, arrivals) that a member reserves at once.
pub const NUMBERS_RESERVED: u64 = 256;
/// After the first message since the last snapshot, a member writes a new one within this.
pub const SNAPSHOT_AFTER_MS: u64 = 10 * 60 * 1000;
/// How often a member asks, when it connects, whether it has the newest handshakes of a group.
pub const LOOK_FOR_NEWEST_MS: u64 = 60 * 60 * 1000;
/// How soon a member asks again for the keys of a hub that cannot open its requests, or that it cannot use.
pub const HUB_KEYS_AGAIN_MS: u64 = 60 * 1000;
/// Hubs of other domains that a member asks at once.
pub const OTHER_HUBS_MAX: usize = 8;
/// So long a member waits for the hub of another domain to say who it is.
pub const OTHER_HUB_WAIT_MS: u64 = 60 * 1000;
/// The same where that is this device's own domain, which is to certify it: what it publishes waits for that.
pub const HOME_WAIT_MS: u64 = 5 * 60 * 1000;
/// How often a member asks, when it connects, whether the hub has new keys.
pub const HUB_INFO_AGAIN_MS: u64 = DAY_MS;
/// Handshakes of one epoch that a member cannot open and asks the hub for: more than an epoch's
/// proposals and its commit.
pub const UNOPENED_PER_EPOCH_MAX: u32 = 640;
/// How often a member asks the same because of a key that it does not know.
pub const HUB_INFO_AT_ONCE_MS: u64 = 60_000;
/// How often what no known key of the hub has signed makes a member fetch a group's handshakes.
pub const UNSIGNED_FETCH_MS: u64 = 10_000;
/// Handshakes that came before their turn, kept by a member for one group.
pub const HANDSHAKES_BUFFERED_MAX: usize = 64;
/// Messages of one group that a member has handed out and that are not confirmed.
pub const MESSAGES_UNCONFIRMED_MAX: usize = 4;
/// A message from a future epoch makes a member fetch handshakes after this.
pub const FUTURE_FETCH_MS: u64 = 5_000;
/// After a commit was refused, or lost all its races, the next one waits this long.
pub const COMMIT_PAUSE_MS: u64 = 60_000;
/// After an attempt to come back into a group failed, the next one waits this long.
pub const REJOIN_PAUSE_MS: u64 = 10 * 60 * 1000;
/// Encoded GroupContext extensions of a branch, which travel beside each of its Welcomes: five trust
/// anchors of usual size and the rest.
pub const BRANCH_EXTENSIONS_BYTES_MAX: usize = 8 * 1024;
/// So long a device waits for a Welcome into what follows a group that has ended, where it lost the state of
/// that or has commands for it.
pub const ENDED_WAIT_MS: u64 = 60 * 60 * 1000;
/// Past epochs of one group whose ends a member notes; more are never readable.
pub const PAST_EPOCHS_MAX: usize = 64;
/// Epochs whose message hashes a member remembers, to drop repeats.
pub const EPOCHS_REMEMBERED: u64 = 64;
/// Groups that a member is out of and still knows of; the first go.
pub const GONE_GROUPS_MAX: usize = 1000;
/// How often a member deletes what has expired.
pub const HOUSEKEEPING_MS: u64 = 60_000;
/// Forgotten message hashes that a member deletes at once.
pub const FORGOTTEN_PER_TICK_MAX: usize = 1024;
/// Welcomes that wait in a member for their room.
pub const WELCOMES_WAITING_MAX: usize = 100;
/// A Welcome may come before the invitation to its room; people are told after this.
pub const INVITATION_WAIT_MS: u64 = 60_000;
/// A Welcome whose maker may not replace the former group, as far as the device knows, waits so long for
/// the commit that allows it, where the hub does not tell.
pub const PROOF_WAIT_MS: u64 = DAY_MS;
/// A room without a group makes a member ask for its group after this.
pub const FIND_GROUP_AFTER_MS: u64 = 60_000;

/// How often a hub's keys may be replaced: each set that a group may name is kept.
pub const HUB_KEYS_MAX: usize = 16;
/// One encoded checkpoint (see [`crate::checkpoint`]).
pub const CHECKPOINT_BYTES_MAX: usize = 512;
/// One encoded piece of evidence (see [`crate::evidence`]).
pub const EVIDENCE_BYTES_MAX: usize = 2 * INLINE_BYTES_MAX + 4096;
/// A gap in a sender's messages is told when it has lasted this long.
pub const GAP_SHOWN_MS: u64 = 60_000;
/// Senders whose messages a member counts, each in one epoch of one group.
pub const GAP_SENDERS_MAX: usize = 1024;
/// Gaps of one sender in one epoch that a member remembers.
pub const GAP_RANGES_MAX: usize = 16;
/// A larger state of a group is not kept beyond its epoch for recovery.
pub const PREVIOUS_STATE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Handshakes that a device on its way back follows in public to see how others came to other keys.
pub const KEY_HISTORY_MAX: u64 = 2_000;
/// Attempts to come back by itself after a commit that could not be processed.
pub const RETURN_ATTEMPTS_MAX: u32 = 3;
/// Times two seconds: the longest wait before the first of these, in a large group.
pub const RETURN_SPREAD_MAX: u32 = 300;
/// The longest pause between two looks at a group whose room this account is no longer in.
pub const LEFT_ROOM_WATCH_MAX_MS: u64 = 3600 * 1000;
/// Leaves are renewed within so many times the pause between two commits: an hour.
pub const RENEWAL_SPREAD: u32 = 1800;
/// Groups with a key of their own that are looked at for its age at once.
pub const GROUPS_LOOKED_AT: usize = 10_000;
/// A removal that the hub proposed of an idle leaf is looked at again after this.
pub const IDLE_AGAIN_MS: u64 = 7 * DAY_MS;
/// Handshakes back to which a member keeps the log of a group's membership.
pub const MEMBERSHIP_LOG_MAX: u64 = 10_000;
/// Pieces of evidence of one kind that a member keeps of one group: the first ones.
pub const EVIDENCE_PER_GROUP_MAX: usize = 16;
/// Handshakes of one group that a member keeps with their receipts, to compare others with.
pub const HANDSHAKES_REMEMBERED: u64 = 64;

/// Commits of one group without a hub that wait for the state that they were made in.
pub const ROOM_COMMITS_WAITING_MAX: usize = 128;
/// The same from one account.
pub const ROOM_COMMITS_PER_SENDER_MAX: usize = 32;
/// States of one group without a hub that are kept beside those that led to its own.
pub const ROOM_BRANCHES_MAX: usize = 16;
/// A hub that is to take a group back from its room is waited for so long.
pub const HAND_BACK_WAIT_MS: u64 = 60_000;
/// The state from which a group went back to its hub is listened for in the room for so long; then a device
/// comes back by an external commit.
pub const HANDED_BACK_WAIT_MS: u64 = 3600 * 1000;
/// That a group without a hub may have fallen apart is said at most once within this.
pub const FELL_APART_NOTICE_MS: u64 = DAY_MS;

/// Groups whose public state the hub keeps in memory.
pub const HUB_GROUPS_IN_MEMORY_MAX: usize = 1024;
/// Leaves of those groups together; the group that was used longest ago goes first.
pub const HUB_LEAVES_IN_MEMORY_MAX: usize = 50_000;
/// Proposals by members that wait in one group for a commit, Adds not counted; of these
/// [`ADDS_BY_REFERENCE_PER_COMMIT_MAX`] may wait.
pub const PROPOSALS_PENDING_MAX: usize = 100;
/// Welcomes that wait for one client; the oldest goes first.
pub const WELCOMES_PER_CLIENT_MAX: usize = 256;
/// Times that the hub asks a homeserver again for a key package that fits.
pub const CLAIM_ATTEMPTS_MAX: u8 = 10;
/// A request that waits for a network is answered "not now" after this.
pub const JOB_WAIT_MS: u64 = 60_000;
/// How long a job is kept whose network never answers.
pub const JOB_KEEP_MS: u64 = DAY_MS;
/// When it has put somebody out, the hub takes a "left" from that room for its own doing this long.
pub const EXPEL_ECHO_MS: u64 = 10 * 60 * 1000;
/// Messages of one sender that the hub holds back for coming faster than their rate; the next
/// one is dropped, and people are told. At the rate they have all gone after 200 seconds.
pub const HELD_MESSAGES_PER_SENDER_MAX: u32 = 2_000;
/// Messages that the hub holds back of all senders together.
pub const HELD_MESSAGES_MAX: u32 = 100_000;
/// Senders whose held messages are looked at in one turn.
pub const HELD_SENDERS_PER_TURN_MAX: usize = 100;
/// A release that comes late makes up for at most this much of a sender's rate.
pub const HELD_CATCH_UP_MS: u64 = 1000;
/// That messages of a sender are dropped is said at most once within this.
pub const DROPPED_NOTICE_MS: u64 = 60_000;
/// Expired entries that the hub takes away at once.
pub const SWEEP_ENTRIES_MAX: usize = 10_000;
/// Devices that are told of one device's asking to be added.
pub const ASK_NOTICES_MAX: usize = 200;
/// Devices of its members that a device remembers to have shown as waiting for one group.
pub const WAITING_DEVICES_PER_GROUP_MAX: usize = 100;
/// After this a device that still waits is shown again, if it asks again.
pub const WAITING_DEVICE_KEEP_MS: u64 = 7 * DAY_MS;
/// Accounts that wait to be let into one group.
pub const KNOCKS_PER_GROUP_MAX: usize = 100;
/// Groups that one account waits to be let into.
pub const KNOCKS_PER_USER_MAX: usize = 20;
/// A knock that nobody has answered is forgotten after this.
pub const KNOCK_KEEP_MS: u64 = 7 * DAY_MS;
/// Senders and claimers whose rates the hub follows.
pub const RATES_FOLLOWED_MAX: usize = 100_000;
/// Characters of a sentence for people that comes from somebody else.
pub const SENTENCE_CHARS_MAX: usize = 500;

/// A receipt may be this far ahead of the receiver's clock.
pub const CLOCK_SKEW_MS: u64 = 10 * 60 * 1000;
/// One day.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;
