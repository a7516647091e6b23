# SPDX-License-Identifier: Apache-2.0
unit_test(kmip/ttlv_test kmip)
unit_test(kmip/message_test kmip)
unit_test(kmip/codec_test kmip)
