# SPDX-License-Identifier: Apache-2.0
unit_test(node/config_test node)
unit_test(node/counters_test node)
unit_test(node/probe_message_test probe)
unit_test(node/probe_options_test probe)
unit_test(node/probe_facts_test probe)
unit_test(node/probe_task_test probe)
unit_test(node/probe_vsphere_test probe)
