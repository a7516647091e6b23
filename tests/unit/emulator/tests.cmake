# SPDX-License-Identifier: Apache-2.0
unit_test(emulator/list_test emulator)
unit_test(emulator/vault_test emulator)
unit_test(emulator/key_test emulator)
unit_test(emulator/access_test emulator)
unit_test(emulator/fault_test emulator)
unit_test(emulator/knobs_test emulator)
