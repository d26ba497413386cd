//! Blocks: full and blinded, Electra and Fulu, both presets, by Lodestar's types.

use cluster_core::beacon::{Fork, Preset, Proposal, ProposalError};
use cluster_core::deposit::signing_root;
use cluster_core::encoding::{decode, encode, to_hex};
use serde_json::{json, Value};
use sha2::{Digest, Sha256};

use super::{bytes, root, vector};

struct Row {
    preset: Preset,
    fork: Fork,
    blinded: bool,
    json: Value,
    row: Value,
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for preset in Preset::ALL {
        for mut row in vector(&format!("lodestar-generated/{preset}.json"))["blocks"].as_array_mut().unwrap().drain(..)
        {
            rows.push(Row {
                preset,
                fork: row["fork"].as_str().unwrap().parse().unwrap(),
                blinded: row["blinded"].as_bool().unwrap(),
                json: row["json"].take(),
                row,
            });
        }
    }
    assert_eq!(rows.len(), 16);
    rows
}

impl Row {
    fn commitments(&self) -> usize {
        self.json["body"]["blob_kzg_commitments"].as_array().unwrap().len()
    }

    /// Proofs and blobs as the vectors' README describes them.
    fn sidecars(&self) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        if self.blinded {
            return Default::default();
        }
        let per_blob = if self.fork == Fork::Fulu { 128 } else { 1 };
        let proofs = (0..self.commitments() * per_blob).map(|at| vec![at as u8; 48]).collect();
        (proofs, (0..self.commitments()).map(|at| vec![at as u8 + 1; 131_072]).collect())
    }

    /// SSZ of `BlockContents`.
    fn contents(&self) -> Vec<u8> {
        let block = bytes(&self.row["ssz"]);
        if self.blinded {
            return block;
        }
        let (proofs, blobs) = self.sidecars();
        let (proofs, blobs) = (proofs.concat(), blobs.concat());
        let offsets = [12, 12 + block.len(), 12 + block.len() + proofs.len()].map(|at| (at as u32).to_le_bytes());
        [offsets.concat(), block, proofs, blobs].concat()
    }

    fn contents_json(&self) -> Vec<u8> {
        if self.blinded {
            return self.json.to_string().into_bytes();
        }
        let (proofs, blobs) = self.sidecars();
        let hex = |items: Vec<Vec<u8>>| items.iter().map(|item| to_hex(item)).collect::<Vec<_>>();
        json!({"block": self.json, "kzg_proofs": hex(proofs), "blobs": hex(blobs)}).to_string().into_bytes()
    }

    fn proposal(&self) -> Proposal {
        Proposal::from_contents_ssz(self.fork, self.blinded, &self.contents()).unwrap()
    }
}

#[test]
fn blocks_of_a_client_have_its_roots_and_are_published_in_its_bytes() {
    for row in rows() {
        let proposal = row.proposal();
        assert_eq!(proposal.block, bytes(&row.row["ssz"]));
        let from_json = Proposal::from_contents_json(row.preset, row.fork, row.blinded, &row.contents_json()).unwrap();
        assert_eq!(from_json, proposal);
        assert_eq!(decode::<Proposal>(&encode(&proposal), 1 << 20).unwrap(), proposal);

        let summary = proposal.inspect(row.preset).unwrap();
        assert_eq!(summary.header.root(), root(&row.row["root"]));
        assert_eq!(summary.header.body_root, root(&row.row["body_root"]));
        assert_eq!(signing_root(summary.header.root(), [0x0d; 32]), root(&row.row["signing_root"]));
        let body = &row.json["body"];
        let payload = &body[if row.blinded { "execution_payload_header" } else { "execution_payload" }];
        let said = json!([
            summary.header.slot,
            summary.header.proposer_index,
            to_hex(&summary.randao_reveal),
            to_hex(&summary.graffiti),
            to_hex(&summary.fee_recipient),
            summary.block_number.to_string(),
            summary.timestamp.to_string(),
            summary.gas_limit.to_string(),
            to_hex(&summary.parent_hash),
            to_hex(&summary.block_hash),
        ]);
        let expected = json!([
            row.json["slot"],
            row.json["proposer_index"],
            body["randao_reveal"],
            body["graffiti"],
            payload["fee_recipient"].as_str().unwrap().to_lowercase(),
            payload["block_number"],
            payload["timestamp"],
            payload["gas_limit"],
            payload["parent_hash"],
            payload["block_hash"],
        ]);
        assert_eq!(said, expected);
        assert_eq!(summary.transactions, payload["transactions"].as_array().map(Vec::len));
        assert_eq!(summary.attestations, body["attestations"].as_array().unwrap().len());
        assert_eq!(summary.blobs, row.commitments());

        let published = proposal.signed_contents_ssz(&[0x5a; 96]);
        assert_eq!(to_hex(&Sha256::digest(&published)), row.row["signed_contents_sha256"], "{:?}", proposal);
    }
}

#[test]
fn blobs_and_proofs_must_be_as_many_as_the_block_commits_to() {
    let row =
        rows().into_iter().find(|row| !row.blinded && row.commitments() == 1 && row.fork == Fork::Electra).unwrap();
    let refused = |change: &dyn Fn(&mut Proposal)| {
        let mut proposal = row.proposal();
        change(&mut proposal);
        proposal.inspect(row.preset).unwrap_err().to_string()
    };
    let words = "commits to 1 blobs, but comes with";
    assert!(refused(&|proposal| proposal.blobs.clear()).contains(&format!("{words} 0 blobs and 1 proofs")));
    assert!(refused(&|proposal| proposal.kzg_proofs.extend([0; 48])).contains(&format!("{words} 1 blobs and 2 proofs")));
    assert!(refused(&|proposal| proposal.fork = Fork::Fulu).contains(words), "Fulu has 128 proofs for each");
    assert!(refused(&|proposal| proposal.blobs.truncate(131_071)).contains("cut off"));
    assert!(refused(&|proposal| proposal.fork = Fork::Deneb).contains("the fork deneb are not supported"));
    assert!(refused(&|proposal| proposal.blinded = true).contains("not valid SSZ of electra"));
    let other = if row.preset == Preset::Mainnet { Preset::Minimal } else { Preset::Mainnet };
    assert!(matches!(row.proposal().inspect(other), Err(ProposalError::Block { .. })));
}

#[test]
fn cut_off_contents_are_refused_in_words() {
    for row in rows() {
        let block = bytes(&row.row["ssz"]);
        // Every cut in the fixed parts, some in the lists.
        for cut in (0..block.len()).filter(|cut| *cut < 600 || cut % 29 == 0) {
            let proposal = Proposal { block: block[..cut].to_vec(), ..row.proposal() };
            // A cut inside of the last list may leave a shorter list of whole items; its root is another one.
            if let Ok(summary) = proposal.inspect(row.preset) {
                assert_ne!(summary.header.root(), root(&row.row["root"]));
            }
        }
        if !row.blinded {
            let contents = row.contents();
            for cut in 0..12 + block.len() {
                assert!(Proposal::from_contents_ssz(row.fork, false, &contents[..cut]).is_err(), "{cut}");
            }
            let mut skewed = contents.clone();
            skewed[0] = 16;
            let error = Proposal::from_contents_ssz(row.fork, false, &skewed).unwrap_err();
            assert!(error.to_string().contains("the first offset is not 12"), "{error}");
        }
        let json = String::from_utf8(row.contents_json()).unwrap();
        let wrong = json.replacen("\"randao_reveal\":\"0x", "\"randao_reveal\":\"0xzz", 1);
        let error = Proposal::from_contents_json(row.preset, row.fork, row.blinded, wrong.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("body.randao_reveal"), "{error}");
        let error = Proposal::from_contents_json(row.preset, row.fork, row.blinded, format!("{json}]").as_bytes());
        assert!(matches!(error, Err(ProposalError::Json { .. })));
    }
}
