#pragma once

// Values one after the other in a string of bytes, in the machine's byte order; strings are a
// length, u32, and bytes.

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace filetree {

class PackedWriter {
   public:
    template <class T>
    void put(T value) {
        static_assert(std::is_arithmetic_v<T>);
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    void put_string(std::string_view string) {
        put(static_cast<std::uint32_t>(string.size()));
        bytes_.append(string);
    }
    void append(std::string_view bytes) { bytes_.append(bytes); }
    // In place of what is at `at`.
    template <class T>
    void replace(std::size_t at, T value) {
        static_assert(std::is_arithmetic_v<T>);
        std::memcpy(bytes_.data() + at, &value, sizeof value);
    }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
    [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::string take() noexcept { return std::move(bytes_); }

   private:
    std::string bytes_;
};

// Throws std::invalid_argument, with `what`, where the bytes end too early. Does not own them.
class PackedReader {
   public:
    PackedReader(std::string_view bytes, std::string what)
        : bytes_(bytes), what_(std::move(what)) {}

    template <class T>
    T get() {
        static_assert(std::is_arithmetic_v<T>);
        T value;
        std::memcpy(&value, take(sizeof value).data(), sizeof value);
        return value;
    }
    std::string_view get_string() { return take(get<std::uint32_t>()); }
    std::string_view take(std::size_t length) {
        if (bytes_.size() < length) throw std::invalid_argument(what_);
        const std::string_view taken = bytes_.substr(0, length);
        bytes_.remove_prefix(length);
        return taken;
    }
    [[nodiscard]] bool at_end() const noexcept { return bytes_.empty(); }

   private:
    std::string_view bytes_;
    std::string what_;
};

}  // namespace filetree
