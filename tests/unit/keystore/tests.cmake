# SPDX-License-Identifier: Apache-2.0
unit_test(keystore/envelope_test keystore)
