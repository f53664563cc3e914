#include "utf8.hpp"

#include <cstdint>
#include <cstring>

namespace filetree {
namespace {

std::uint8_t byte(std::string_view bytes, std::size_t i) noexcept {
    return static_cast<std::uint8_t>(bytes[i]);
}

bool is_ascii(std::string_view bytes) noexcept {
    std::uint64_t any = 0;
    const auto add_word_at = [&](std::size_t i) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + i, sizeof word);
        any |= word;
    };
    if (bytes.size() < sizeof any) {
        for (const char c : bytes) any |= static_cast<std::uint8_t>(c);
    } else {
        for (std::size_t i = 0; i + sizeof any < bytes.size(); i += sizeof any) add_word_at(i);
        add_word_at(bytes.size() - sizeof any);  // the rest, and maybe some once more
    }
    return (any & 0x8080808080808080U) == 0;
}

}  // namespace

// Source: the Unicode Standard, table 3-7, "Well-Formed UTF-8 Byte Sequences".
std::size_t utf8_length(std::string_view bytes) noexcept {
    const std::uint8_t lead = byte(bytes, 0);
    if (lead < 0x80) return 1;
    std::size_t length = 0;
    std::uint8_t second_low = 0x80;
    std::uint8_t second_high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        if (lead == 0xE0) second_low = 0xA0;
        if (lead == 0xED) second_high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        if (lead == 0xF0) second_low = 0x90;
        if (lead == 0xF4) second_high = 0x8F;
    }
    if (length == 0 || bytes.size() < length) return 0;
    if (byte(bytes, 1) < second_low || byte(bytes, 1) > second_high) return 0;
    for (std::size_t i = 2; i < length; ++i) {
        if ((byte(bytes, i) & 0xC0U) != 0x80) return 0;
    }
    return length;
}

bool is_utf8(std::string_view bytes) noexcept {
    if (is_ascii(bytes)) return true;
    while (!bytes.empty()) {
        const std::size_t length = utf8_length(bytes);
        if (length == 0) return false;
        bytes.remove_prefix(length);
    }
    return true;
}

void append_escaped(std::string_view bytes, std::string& out) {
    constexpr std::string_view digits = "0123456789abcdef";
    while (!bytes.empty()) {
        const std::size_t length = utf8_length(bytes);
        if (length == 0) {
            const std::uint8_t bad = byte(bytes, 0);
            out.append("\\x").push_back(digits[bad >> 4U]);
            out.push_back(digits[bad & 15U]);
        } else {
            out.append(bytes.substr(0, length));
        }
        bytes.remove_prefix(length == 0 ? 1 : length);
    }
}

}  // namespace filetree
