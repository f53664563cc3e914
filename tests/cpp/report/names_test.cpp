#include "names.hpp"

#include <gtest/gtest.h>

#include <string>

namespace filetree::report {
namespace {

TEST(ExtensionOf, IsWhatFollowsTheLastDotNotCountingAFirstCharacter) {
    EXPECT_EQ(extension_of("a.txt"), "txt");
    EXPECT_EQ(extension_of("a.tar.gz"), "gz");
    EXPECT_EQ(extension_of(".hidden.conf"), "conf");
    EXPECT_EQ(extension_of("..x"), "x");
    EXPECT_EQ(extension_of("a. b"), " b");
}

TEST(ExtensionOf, TellsNoneFromAnEmptyOne) {
    for (const char* name : {"plain", ".bashrc", "", "."}) {
        EXPECT_EQ(extension_of(name).data(), nullptr) << name;
    }
    for (const char* name : {"x.", "a.b.", "..", "..."}) {
        EXPECT_NE(extension_of(name).data(), nullptr) << name;
        EXPECT_EQ(extension_of(name), "") << name;
    }
}

TEST(Plain, IsWhatCsvCarriesAsItIs) {
    EXPECT_TRUE(is_plain(""));
    EXPECT_TRUE(is_plain("a, b; 'c' \x7f\xFF\x80"));
    EXPECT_FALSE(is_plain("a\"b"));
    for (int c = 0; c < 32; ++c) {
        const std::string name{'a', static_cast<char>(c)};
        EXPECT_FALSE(is_plain(name)) << c;
        EXPECT_TRUE(has_control_characters(name)) << c;
    }
    EXPECT_FALSE(has_control_characters("a\"b \x7f\xFF"));
    EXPECT_FALSE(has_control_characters(""));
}

}  // namespace
}  // namespace filetree::report
