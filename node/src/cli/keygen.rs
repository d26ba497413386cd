//! `cluster-node keygen`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{bail, Context};
use clap::{Args, ValueEnum};
use cluster_crypto::identity;
use rand_core::OsRng;

use crate::keys;

#[derive(Debug, Args)]
pub(super) struct KeygenArgs {
    /// File to write the encrypted key to; never overwritten.
    #[arg(long, default_value = "key.json")]
    key_file: PathBuf,
    /// File with the password; when it does not exist, a random password is written into it.
    #[arg(long, default_value = "password.txt")]
    password_file: PathBuf,
    /// What the key is for; shapes the printed registry entry.
    #[arg(long, value_enum, default_value = "operator")]
    role: KeyRole,
    /// Number of the operator in the registry, for the printed entry.
    #[arg(long, default_value_t = 1)]
    operator_id: u32,
    /// Name in the registry, for the printed entry.
    #[arg(long, default_value = "change me")]
    name: String,
    /// Multiaddress of the node, for the printed entry; may be given several times.
    #[arg(long)]
    address: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KeyRole {
    Operator,
    Gateway,
    Bootstrap,
}

pub(super) fn run(args: &KeygenArgs) -> anyhow::Result<ExitCode> {
    if args.key_file.exists() {
        bail!("{} exists already and is not overwritten; choose another --key-file", args.key_file.display());
    }
    let (password, made) = if args.password_file.exists() {
        (keys::read_password(&args.password_file)?, false)
    } else {
        (keys::write_random_password(&args.password_file)?, true)
    };
    let key = identity::SecretKey::generate(&mut OsRng);
    keys::write_identity(&args.key_file, &password, &key, &format!("cluster-node identity of {}", args.name))?;
    let peer_id = cluster_net::identity::peer_id(&key.public_key()).context("libp2p refuses the new key")?;

    println!("public key     {}", key.public_key());
    println!("peer id        {peer_id}");
    println!("key file       {} (encrypted)", args.key_file.display());
    println!("password file  {}{}", args.password_file.display(), if made { " (new, random)" } else { "" });
    println!();
    println!("Back up both files, apart from each other. Nobody can restore them.");
    println!("Entry for the registry file:");
    println!();
    print!("{}", registry_entry(args, &key.public_key()));
    Ok(ExitCode::SUCCESS)
}

fn registry_entry(args: &KeygenArgs, public_key: &identity::PublicKey) -> String {
    let addresses = toml::Value::from(args.address.clone());
    let name = toml::Value::from(args.name.clone());
    match args.role {
        KeyRole::Operator => format!(
            "[[operators]]\nid = {}\nname = {name}\npublic_key = \"{public_key}\"\naddresses = {addresses}\n",
            args.operator_id
        ),
        KeyRole::Gateway => {
            format!("[[gateways]]\nname = {name}\npublic_key = \"{public_key}\"\naddresses = {addresses}\n")
        }
        KeyRole::Bootstrap => format!("[[bootstraps]]\npublic_key = \"{public_key}\"\naddresses = {addresses}\n"),
    }
}
