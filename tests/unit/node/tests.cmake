# SPDX-License-Identifier: Apache-2.0
unit_test(node/config_test node)
unit_test(node/ipc_test node)
