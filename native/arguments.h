#pragma once

#include <napi.h>

#include <cmath>

namespace oci2iso {

/** JavaScript's Number.MAX_SAFE_INTEGER. */
constexpr int64_t kMaxSafeInteger = (int64_t{1} << 53) - 1;

/** A view of the bytes of an argument; valid during the call. */
struct Bytes {
  uint8_t* data;
  size_t length;
};

/** Throws TypeError where the argument is not a Uint8Array (or Buffer). */
inline Bytes BytesArgument(const Napi::CallbackInfo& info, size_t index) {
  const Napi::Value value = info[index];
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
    throw Napi::TypeError::New(info.Env(), "argument " + std::to_string(index) + " must be a Uint8Array");
  Napi::Uint8Array array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ByteLength()};
}

/** Throws RangeError where the argument is not an integer of `min` to `max`. */
inline int64_t IntegerArgument(const Napi::CallbackInfo& info, size_t index, int64_t min, int64_t max) {
  const Napi::Value value = info[index];
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= static_cast<double>(min) && number <= static_cast<double>(max)) || number != std::floor(number))
    throw Napi::RangeError::New(info.Env(), "argument " + std::to_string(index) + " must be an integer of " +
                                                std::to_string(min) + " to " + std::to_string(max));
  return static_cast<int64_t>(number);
}

inline std::string StringArgument(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsString())
    throw Napi::TypeError::New(info.Env(), "argument " + std::to_string(index) + " must be a string");
  return info[index].As<Napi::String>().Utf8Value();
}

/** Lets a method refuse an object that only looks like ours. */
inline void RequireTag(const Napi::CallbackInfo& info, const napi_type_tag& tag) {
  bool matches = false;
  if (!info.This().IsObject() ||
      napi_check_object_type_tag(info.Env(), info.This(), &tag, &matches) != napi_ok || !matches)
    throw Napi::TypeError::New(info.Env(), "called on a foreign object");
}

}  // namespace oci2iso
