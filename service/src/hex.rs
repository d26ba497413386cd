//! Texts of addresses, keys and transaction ids as they stand in the database: lower-case hex with 0x.

use cluster_core::encoding::from_hex;
use cluster_crypto::ethereum::Address;

/// The address as a database key.
pub fn address_key(address: &Address) -> String {
    cluster_core::encoding::to_hex(&address.0)
}

/// Reads an address whatever the case of its digits: existing apps send checksummed and lower-case ones.
pub fn parse_address(text: &str) -> Option<Address> {
    from_hex::<20>(text).ok().map(Address)
}

/// The EIP-55 form of an address key; the key itself when it is not one.
pub fn checksummed(key: &str) -> String {
    parse_address(key).map_or_else(|| key.to_owned(), |address| address.to_string())
}

/// Lower-case form of `N` bytes in 0x hex, or `None` when the text is anything else.
pub fn normalized<const N: usize>(text: &str) -> Option<String> {
    from_hex::<N>(text).ok().map(|bytes| cluster_core::encoding::to_hex(&bytes))
}
