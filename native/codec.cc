#include "codec.h"

namespace oci2iso {

const Codec* FindCodec(const std::string& name) {
  static const Codec codecs[] = {
      ZstdCodec(),
      DeflateCodec(),
      Lz4Codec(),
#ifdef HAVE_LIBLZMA
      XzCodec(),
#endif
  };
  for (const Codec& codec : codecs) {
    if (name == codec.name) return &codec;
  }
  return nullptr;
}

}  // namespace oci2iso
