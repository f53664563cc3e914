// How a path is quoted in the system log.

#include "audit_log.hpp"

#include <gtest/gtest.h>

namespace filetree::repair {
namespace {

std::string as_logged(std::string_view path) {
    std::string out = "=";
    append_quoted(path, out);
    return out;
}

TEST(AuditLog, PlainPathsAreQuotedAsTheyAre) {
    EXPECT_EQ(as_logged("/a b/c~'`$%"), "=\"/a b/c~'`$%\"");
    EXPECT_EQ(as_logged(""), "=\"\"");
}

TEST(AuditLog, WhatCouldEndTheQuotesOrTheLineIsWrittenInHex) {
    EXPECT_EQ(as_logged("\" mode=0777 path=\""), R"(="\x22 mode=0777 path=\x22")");
    EXPECT_EQ(as_logged("a\nb\\n\r"), R"(="a\x0ab\x5cn\x0d")");
    EXPECT_EQ(as_logged("\xC3\xA9\xFF"), R"(="\xc3\xa9\xff")");
}

TEST(AuditLog, EveryByteCanBeReadBackAndIsPrintable) {
    std::string path;
    for (int byte = 1; byte < 256; ++byte) path.push_back(static_cast<char>(byte));
    const std::string text = as_logged(path);
    std::string back;
    for (std::size_t i = 2; i + 1 < text.size(); ++i) {
        ASSERT_TRUE(text[i] >= ' ' && text[i] <= '~');
        ASSERT_NE(text[i], '"');
        if (text[i] == '\\') {
            ASSERT_EQ(text[i + 1], 'x');
            back.push_back(static_cast<char>(std::stoi(text.substr(i + 2, 2), nullptr, 16)));
            i += 3;
        } else {
            back.push_back(text[i]);
        }
    }
    EXPECT_EQ(back, path);
}

}  // namespace
}  // namespace filetree::repair
