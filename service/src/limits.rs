//! Every bound of the service in one table: unit in the name, reason beside it.

/// Largest body of all other calls; 1,000 rows of `validator/update` take 230 kB.
pub const BODY_BYTES: usize = 512 * 1024;
/// Rows of one `validator/update`; the largest ceremony has 1,000 validators.
pub const UPDATE_ROWS: usize = 1_000;
/// Largest page of a `/v1` list.
pub const PAGE_ITEMS: u32 = 100;
/// Page of a `/v1` list when the caller names none.
pub const PAGE_ITEMS_DEFAULT: u32 = 50;
/// Rows that the unpaginated legacy `validator/query` returns at most; callers with more use `/v1/validators`.
pub const LEGACY_ROWS: i64 = 20_000;
/// Longest EIP-4361 message; wallets write a few hundred bytes.
pub const LOGIN_MESSAGE_BYTES: usize = 4 * 1024;
/// Longest signature of a login: a contract wallet of fifty owners.
pub const LOGIN_SIGNATURE_BYTES: usize = 4 * 1024;
/// A login nonce lives five minutes: long enough for a hardware wallet.
pub const LOGIN_NONCE_TTL_MS: u64 = 5 * 60 * 1000;
/// Unused login nonces kept at a time; beyond, the oldest must expire first.
pub const LOGIN_NONCES: i64 = 100_000;
/// A session lives a day.
pub const SESSION_TTL_MS: u64 = 24 * 60 * 60 * 1000;
/// Difference of clocks that is forgiven between a wallet's machine and this one.
pub const CLOCK_SKEW_S: u64 = 300;
/// Longest validity of the legacy login headers, before skew.
pub const LEGACY_DEADLINE_S: u64 = 24 * 60 * 60;
/// A gateway's signed call is accepted this long before and after its timestamp.
pub const GATEWAY_WINDOW_MS: u64 = 5 * 60 * 1000;
/// Longest time that a gateway's poll waits for a request.
pub const LONG_POLL_MS: u64 = 30_000;
/// Requests in one answer to a gateway's poll.
pub const POLL_REQUESTS: i64 = 64;
/// Requests that nobody took up, over all owners: anyone can sign requests, so they must not fill the disk.
pub const UNSTARTED_REQUESTS: i64 = 10_000;
/// Requests of one owner that nobody took up.
pub const UNSTARTED_REQUESTS_OWNER: i64 = 100;
/// A request gives way to newer ones only after it had this long to be taken up.
pub const UNSTARTED_KEEP_MS: u64 = 60_000;
/// A request counts as expired this long after its deadline: reports of a start may be on their way.
pub const EXPIRE_AFTER_S: u64 = 60;
/// Requests marked as expired in one transaction.
pub const EXPIRE_BATCH: i64 = 500;
/// An expired request is deleted this long after its deadline.
pub const EXPIRED_KEEP_S: u64 = 24 * 60 * 60;
/// Events kept of one ceremony; 13 operators report seven steps each, with room for faults.
pub const CEREMONY_EVENTS: i64 = 2_000;
/// Characters of a reason that a gateway reports.
pub const REASON_CHARS: usize = 256;
/// Culprits in one report; a committee has at most 13 operators.
pub const CULPRITS: usize = 13;
/// Validators in one report of performance: with five kinds and four reasons each, 450 kB of JSON.
pub const PERFORMANCE_VALIDATORS: usize = 500;
/// Figures of duties are kept this long; a validator takes some 45 kB a day.
pub const PERFORMANCE_KEEP_MS: u64 = 90 * 24 * 60 * 60 * 1000;
/// Validators whose figures are summed in one call: what a page of the app shows at a time.
pub const TOTALS_VALIDATORS: usize = 25;
/// The month of the legacy `month_performance`.
pub const MONTH_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Largest number of an epoch: clients read it as a double.
pub const EPOCH: u64 = (1 << 53) - 1;
/// Validators in one report of upkeep: 165 kB of JSON.
pub const UPKEEP_VALIDATORS: usize = 500;
/// Validators that need attention, named beside the totals: what a card of the app shows.
pub const UPKEEP_ATTENTION: i64 = 20;
/// Largest gas limit of a block: clients read it as a double.
pub const GAS_LIMIT: u64 = (1 << 53) - 1;
/// Event streams open at a time.
pub const EVENT_STREAMS: usize = 1_000;
/// Events read from the database for a stream at a time.
pub const EVENT_BATCH: i64 = 100;
/// A stream looks into the database this often even when nothing woke it: another process may have written.
pub const EVENT_POLL_MS: u64 = 2_000;
/// Addresses that the rate limiter remembers.
pub const RATE_LIMIT_ADDRESSES: usize = 10_000;
/// Different transactions in one `validator/update`: each is looked up on the chain.
pub const UPDATE_TRANSACTIONS: usize = 100;
/// A statement of an owner waits this long for the follower before the answer says "pending".
pub const HINT_WAIT_MS: u64 = 3_000;
/// Longest status that a beacon node gives a validator; the longest name has 19 bytes.
pub const BEACON_STATUS_BYTES: usize = 32;
/// Keys of one plan of batches, and of one check for duplicates: the largest ceremony.
pub const CSM_KEYS: usize = 1_000;
/// Batches of one plan: each takes a call of a contract.
pub const CSM_BATCHES: u32 = 100;
/// Keys per transaction unless the caller says otherwise: 6 million gas.
pub const CSM_BATCH_KEYS_DEFAULT: u32 = 50;
/// Most keys per transaction: 11.9 million of the 16,777,216 gas that a transaction may take (EIP-7825), with room for a
/// contract wallet and for Lido's own share.
pub const CSM_BATCH_KEYS: u32 = 100;
/// Batches of the deposit queue that are read to find a node operator's place.
pub const CSM_QUEUE_ITEMS: u128 = 256;
/// Node operators shown to one owner.
pub const CSM_OPERATORS: i64 = 100;
/// Operators in one report of a gateway; as many as a registry holds.
pub const REPORT_OPERATORS: usize = 10_000;
/// Characters of the version of an operator's program.
pub const VERSION_CHARS: usize = 32;
/// An operator that no gateway heard for this long counts as inactive.
pub const OPERATOR_SILENT_MS: u64 = 15 * 60 * 1000;
/// A gateway has this long to find out whether a committee is fit; then the owner is told that none did.
pub const PREFLIGHT_ANSWER_MS: u64 = 30_000;
/// A gateway that took a question up has this long before another one gets it: longer than it waits for silent operators.
pub const PREFLIGHT_TAKEN_MS: u64 = 12_000;
/// Questions and answers are kept this long; what was measured is worth nothing later.
pub const PREFLIGHT_KEEP_MS: u64 = 10 * 60 * 1000;
/// Questions of one owner a minute: each makes a gateway ask up to 13 operators.
pub const PREFLIGHTS_OWNER_MINUTE: i64 = 60;
/// Questions that are kept, over all owners; a row has some 4 kB.
pub const PREFLIGHTS: i64 = 5_000;
/// Questions that a gateway gets at a time.
pub const POLL_PREFLIGHTS: i64 = 8;
/// Problems that a gateway reports of one operator, each of at most [`REASON_CHARS`].
pub const PREFLIGHT_PROBLEMS: usize = 8;
/// Capabilities and protocols of one operator; as many as the mesh lets a peer name.
pub const PREFLIGHT_NAMES: usize = 32;
/// Characters of one such name.
pub const PREFLIGHT_NAME_CHARS: usize = 64;
