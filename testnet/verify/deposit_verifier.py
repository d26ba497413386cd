#!/usr/bin/env python3
"""Verifies deposit_data-*.json independently of the project's Rust code.

    deposit_verifier.py --network hoodi --withdrawal-address 0x... FILE...

Recomputes every field from the public key, the signature, the network and the withdrawal address, with Python's
hashlib for the roots and py_ecc for the BLS signature. Prints one line per fault, `file[position].field: reason`, and
exits with 1 if there is any; 0 if all is well; 2 when called wrongly.
"""

import argparse
import hashlib
import json
import re
import sys

from py_ecc.bls import G2ProofOfPossession as bls

GENESIS_FORK_VERSION = {"mainnet": "00000000", "hoodi": "10000910", "holesky": "01017000"}
LIDO_WITHDRAWAL_VAULT = {
    "mainnet": "0xB9D7934878B5FB9610B3fE8A5e441e8fad7E293f",
    "hoodi": "0x4473dCDDbf77679A643BdB654dbd86D67F8d32f2",
}
DOMAIN_DEPOSIT = bytes.fromhex("03000000")
HEX_FIELDS = {
    "pubkey": 48,
    "withdrawal_credentials": 32,
    "signature": 96,
    "deposit_message_root": 32,
    "deposit_data_root": 32,
    "fork_version": 4,
}
FIELDS = [*HEX_FIELDS, "amount", "network_name", "deposit_cli_version"]


def merkleize(data: bytes) -> bytes:
    """hash_tree_root of a byte vector, or of the concatenated roots of a container."""
    chunks = [data[i : i + 32].ljust(32, b"\0") for i in range(0, len(data), 32)]
    while len(chunks) & (len(chunks) - 1):
        chunks.append(bytes(32))
    while len(chunks) > 1:
        chunks = [hashlib.sha256(a + b).digest() for a, b in zip(chunks[::2], chunks[1::2])]
    return chunks[0]


def container(*fields: bytes) -> bytes:
    return merkleize(b"".join(merkleize(field) for field in fields))


def deposit_roots(pubkey: bytes, credentials: bytes, amount: int, signature: bytes) -> tuple[bytes, bytes]:
    amount_bytes = amount.to_bytes(8, "little")
    message = container(pubkey, credentials, amount_bytes)
    return message, container(pubkey, credentials, amount_bytes, signature)


def signing_root(message_root: bytes, fork_version: bytes) -> bytes:
    fork_data_root = container(fork_version, bytes(32))
    return container(message_root, DOMAIN_DEPOSIT + fork_data_root[:28])


def faults(entry: object, network: str, credentials: str, amount: int):
    """Yields (field, reason) for one entry."""
    if not isinstance(entry, dict):
        yield "", "expected an object"
        return
    for field in sorted(set(entry) ^ set(FIELDS)):
        yield field, "missing" if field in FIELDS else "unknown field"
    malformed = False
    for field, length in HEX_FIELDS.items():
        value = entry.get(field)
        if field in entry and not (isinstance(value, str) and re.fullmatch(f"[0-9a-f]{{{2 * length}}}", value)):
            malformed = True
            yield field, f"expected {2 * length} lower-case hex digits, found {value!r}"
    expected = {
        "network_name": network,
        "fork_version": GENESIS_FORK_VERSION[network],
        "withdrawal_credentials": credentials,
        "amount": amount,
    }
    for field, value in expected.items():
        if field in entry and (entry[field] != value or isinstance(entry[field], bool)):
            yield field, f"expected {value}, found {entry[field]}"
    version = entry.get("deposit_cli_version", "1")
    if not (isinstance(version, str) and 0 < len(version) <= 64):
        yield "deposit_cli_version", f"expected a version, found {version!r}"
    if malformed or any(field not in entry for field in HEX_FIELDS):
        return
    pubkey, signature = bytes.fromhex(entry["pubkey"]), bytes.fromhex(entry["signature"])
    message_root, data_root = deposit_roots(pubkey, bytes.fromhex(credentials), amount, signature)
    for field, root in (("deposit_message_root", message_root), ("deposit_data_root", data_root)):
        if entry[field] != root.hex():
            yield field, f"expected {root.hex()}, found {entry[field]}"
    root = signing_root(message_root, bytes.fromhex(GENESIS_FORK_VERSION[network]))
    if not bls.KeyValidate(pubkey):
        yield "pubkey", "not a public key"
    elif not bls.Verify(pubkey, root, signature):
        yield "signature", "not a signature by pubkey on this deposit"


def main() -> int:
    parser = argparse.ArgumentParser(description="Verifies deposit data files independently.")
    parser.add_argument("--network", required=True, choices=sorted(GENESIS_FORK_VERSION))
    parser.add_argument("--withdrawal-address", required=True, help="0x and 40 hex digits, or lido")
    parser.add_argument("--count", type=int, help="how many entries all files must have together")
    parser.add_argument("files", nargs="+", metavar="FILE")
    args = parser.parse_args()
    address = args.withdrawal_address
    if address == "lido":
        address = LIDO_WITHDRAWAL_VAULT.get(args.network, "")
    if not re.fullmatch("0x[0-9a-fA-F]{40}", address):
        parser.error("--withdrawal-address must be 0x and 40 hex digits, or lido on mainnet and hoodi")
    credentials = "01" + "00" * 11 + address[2:].lower()
    wrong, seen, total = 0, {}, 0
    for path in args.files:
        try:
            with open(path, encoding="utf-8") as file:
                entries = json.load(file)
        except (OSError, ValueError) as error:
            entries = error
        if not isinstance(entries, list) or not entries:
            print(f"{path}: expected a JSON array of deposits, found {entries}")
            wrong += 1
            continue
        for position, entry in enumerate(entries):
            total += 1
            place = f"{path}[{position}]"
            for field, reason in faults(entry, args.network, credentials, 32_000_000_000):
                print(f"{place}.{field}: {reason}")
                wrong += 1
            key = entry.get("pubkey") if isinstance(entry, dict) else None
            first = seen.setdefault(str(key), place)
            if first != place:
                print(f"{place}.pubkey: the same key as {first}")
                wrong += 1
    if args.count is not None and total != args.count:
        print(f"expected {args.count} deposits, found {total}")
        wrong += 1
    if not wrong:
        print(f"{total} deposits for {args.network} are valid")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
