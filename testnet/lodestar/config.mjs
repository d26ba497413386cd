// Arguments of the scripts, and the chain configuration of a test network.
import { chainConfigFromJson, createChainForkConfig } from "@lodestar/config";
import { mainnetChainConfig, minimalChainConfig } from "@lodestar/config/configs";
import { ACTIVE_PRESET } from "@lodestar/params";

// `--name=value` is an option of the script, `--params.NAME=value` a constant of the chain.
export function parseArguments(argv) {
  const options = {};
  const params = {};
  for (const argument of argv) {
    const match = argument.match(/^--(params\.)?([^=]+)=(.*)$/);
    if (!match) throw Error(`bad argument ${argument}: expected --name=value or --params.NAME=value`);
    const [, isParam, name, value] = match;
    (isParam ? params : options)[name] = value;
  }
  return { options, params };
}

// Everything up to Electra at genesis, nothing after it, unless `params` say otherwise.
export function chainConfig(params) {
  const base = ACTIVE_PRESET === "mainnet" ? mainnetChainConfig : minimalChainConfig;
  const given = chainConfigFromJson(params);
  if (given.SLOT_DURATION_MS !== undefined) {
    // Timestamps of execution payloads are seconds.
    if (given.SLOT_DURATION_MS % 1000 !== 0) throw Error("SLOT_DURATION_MS must be whole seconds");
    // By itself Lodestar would go on reporting the old value in /eth/v1/config/spec.
    given.SECONDS_PER_SLOT = given.SLOT_DURATION_MS / 1000;
  }
  return createChainForkConfig({
    ...base,
    CONFIG_NAME: "testnet",
    ALTAIR_FORK_EPOCH: 0,
    BELLATRIX_FORK_EPOCH: 0,
    CAPELLA_FORK_EPOCH: 0,
    DENEB_FORK_EPOCH: 0,
    ELECTRA_FORK_EPOCH: 0,
    FULU_FORK_EPOCH: Infinity,
    GLOAS_FORK_EPOCH: Infinity,
    ...given,
  });
}
