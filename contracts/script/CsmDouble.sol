// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {Accounting} from "../src/csm-double/Accounting.sol";
import {CSModule} from "../src/csm-double/CSModule.sol";
import {DepositContract} from "../src/csm-double/DepositContract.sol";
import {FeeDistributor} from "../src/csm-double/FeeDistributor.sol";
import {LidoLocator} from "../src/csm-double/LidoLocator.sol";
import {ParametersRegistry} from "../src/csm-double/ParametersRegistry.sol";
import {PermissionlessGate} from "../src/csm-double/PermissionlessGate.sol";
import {StETH} from "../src/csm-double/StETH.sol";
import {VettedGate} from "../src/csm-double/VettedGate.sol";
import {Watchers} from "../src/csm-double/Watchers.sol";
import {WstETH} from "../src/csm-double/WstETH.sol";

/// The CSM double, put together. Used by the deployment script and by the tests alike.
abstract contract CsmDouble {
    struct Csm {
        StETH stETH;
        WstETH wstETH;
        ParametersRegistry parametersRegistry;
        CSModule module;
        Accounting accounting;
        FeeDistributor feeDistributor;
        PermissionlessGate permissionlessGate;
        VettedGate icsGate;
        VettedGate idvtcGate;
        Watchers watchers;
        DepositContract depositContract;
        LidoLocator locator;
    }

    /// @param admin The account that calls this; it plays Lido's oracles and councils later.
    /// @param release 2 or 3.
    function deployCsmDouble(address admin, uint256 release) internal returns (Csm memory csm) {
        csm.stETH = new StETH{value: 1 ether}();
        csm.wstETH = new WstETH(csm.stETH);
        csm.parametersRegistry = new ParametersRegistry();
        csm.module = new CSModule(admin, csm.parametersRegistry, release);
        csm.accounting = new Accounting(admin, csm.module, csm.stETH, csm.wstETH, csm.parametersRegistry);
        csm.feeDistributor = new FeeDistributor(admin, csm.stETH, address(csm.accounting));
        csm.permissionlessGate = new PermissionlessGate(csm.module);
        csm.icsGate = new VettedGate(admin, csm.module, csm.parametersRegistry.ICS_CURVE());
        csm.idvtcGate = new VettedGate(admin, csm.module, csm.parametersRegistry.IDVTC_CURVE());
        csm.watchers = new Watchers(admin, csm.module);
        csm.depositContract = new DepositContract();
        csm.locator = new LidoLocator(admin, address(csm.stETH), address(csm.wstETH), address(csm.watchers), csm.depositContract);
        csm.module.setAccounting(csm.accounting);
        csm.module.setLocator(address(csm.locator));
        csm.accounting.setFeeDistributor(csm.feeDistributor);
        csm.module.setGate(address(csm.permissionlessGate), true);
        csm.module.setGate(address(csm.icsGate), true);
        csm.module.setGate(address(csm.idvtcGate), true);
    }
}
