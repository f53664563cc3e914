#include "utf8.hpp"

#include <gtest/gtest.h>

namespace filetree {
namespace {

struct Case {
    const char* what;
    std::string_view bytes;
};

TEST(Utf8, IsWhatTheStandardCallsWellFormed) {
    using namespace std::string_view_literals;
    const Case cases[] = {
        {"nothing", ""sv},
        {"ASCII", "plain\x01\x7f"sv},
        {"NUL", "a\0b"sv},
        {"the first of two bytes", "\xC2\x80"sv},
        {"the last of two bytes", "\xDF\xBF"sv},
        {"the first of three bytes", "\xE0\xA0\x80"sv},
        {"the last before the surrogates", "\xED\x9F\xBF"sv},
        {"the first after the surrogates", "\xEE\x80\x80"sv},
        {"the last of three bytes", "\xEF\xBF\xBF"sv},
        {"the first of four bytes", "\xF0\x90\x80\x80"sv},
        {"the last of four bytes", "\xF4\x8F\xBF\xBF"sv},
        {"one after the other", "\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80 z"sv},
    };
    for (const auto& [what, bytes] : cases) EXPECT_TRUE(is_utf8(bytes)) << what;
}

TEST(Utf8, IsNotWhatTheStandardCallsIllFormed) {
    using namespace std::string_view_literals;
    const Case cases[] = {
        {"a continuation alone", "\x80"sv},
        {"a continuation after ASCII", "a\xBF"sv},
        {"overlong in two bytes", "\xC0\x80"sv},
        {"overlong in two bytes, the last", "\xC1\xBF"sv},
        {"overlong in three bytes", "\xE0\x9F\xBF"sv},
        {"overlong in four bytes", "\xF0\x8F\xBF\xBF"sv},
        {"the first surrogate", "\xED\xA0\x80"sv},
        {"the last surrogate", "\xED\xBF\xBF"sv},
        {"beyond Unicode", "\xF4\x90\x80\x80"sv},
        {"far beyond Unicode", "\xF5\x80\x80\x80"sv},
        {"five bytes", "\xF8\x88\x80\x80\x80"sv},
        {"0xFE", "\xFE"sv},
        {"0xFF", "\xFF"sv},
        {"two bytes truncated", "\xC3"sv},
        {"three bytes truncated to one", "\xE2"sv},
        {"three bytes truncated to two", "\xE2\x82"sv},
        {"four bytes truncated to three", "\xF0\x9F\x98"sv},
        {"truncated by ASCII", "\xE2\x82z"sv},
        {"truncated by another lead", "\xC3\xC3\xBC"sv},
        {"a bad third byte", "\xE2\x82\xC0"sv},
        {"a bad fourth byte", "\xF0\x9F\x98\x28"sv},
        {"bad after good", "good \xC3\xBC, bad \xFF"sv},
    };
    for (const auto& [what, bytes] : cases) EXPECT_FALSE(is_utf8(bytes)) << what;
}

TEST(Utf8, FindsOneBadByteWhereverItIs) {
    for (std::size_t length = 1; length <= 40; ++length) {
        std::string bytes(length, 'a');
        EXPECT_TRUE(is_utf8(bytes));
        for (std::size_t i = 0; i < length; ++i) {
            bytes[i] = '\xFF';
            EXPECT_FALSE(is_utf8(bytes)) << i << " of " << length;
            bytes[i] = 'a';
        }
    }
}

// Every sequence of two bytes, against the definition.
TEST(Utf8, AgreesWithTheDefinitionOnAllPairsOfBytes) {
    for (unsigned first = 0; first < 256; ++first) {
        for (unsigned second = 0; second < 256; ++second) {
            const char bytes[2] = {static_cast<char>(first), static_cast<char>(second)};
            const bool ascii = first < 0x80 && second < 0x80;
            const bool pair = first >= 0xC2 && first <= 0xDF && second >= 0x80 && second <= 0xBF;
            ASSERT_EQ(is_utf8({bytes, 2}), ascii || pair) << first << ' ' << second;
        }
    }
}

std::string escaped(std::string_view bytes) {
    std::string out = "before ";
    append_escaped(bytes, out);
    EXPECT_TRUE(is_utf8(out));
    return out.substr(7);
}

TEST(Utf8, EscapesEachByteThatIsNotPartOfIt) {
    EXPECT_EQ(escaped("plain \xC3\xBC"), "plain \xC3\xBC");
    EXPECT_EQ(escaped("a\xFFz"), "a\\xffz");
    EXPECT_EQ(escaped("\xE2\x82"), "\\xe2\\x82");
    EXPECT_EQ(escaped("\xED\xA0\x80"), "\\xed\\xa0\\x80");
    EXPECT_EQ(escaped("\xC3\xC3\xBC"), "\\xc3\xC3\xBC");
    EXPECT_EQ(escaped("\xF0\x9F\x98/"), "\\xf0\\x9f\\x98/");
    EXPECT_EQ(escaped(""), "");
}

}  // namespace
}  // namespace filetree
