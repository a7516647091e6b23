# SPDX-License-Identifier: Apache-2.0
unit_test(keystore/envelope_test keystore)
unit_test(keystore/record_test keystore)
unit_test(keystore/merge_test keystore)
unit_test(keystore/cache_test keystore)
unit_test(keystore/ids_test keystore)
unit_test(keystore/stamp_test keystore)
unit_test(keystore/object_test keystore)
