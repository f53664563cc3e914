#include "pattern.hpp"

#include <gtest/gtest.h>

#include <string>

namespace filetree::compare {
namespace {

struct Case {
    std::string pattern;
    std::string name;
    bool expected;
};

// Each is what Python's fnmatch.fnmatchcase says.
const Case cases[] = {
    {"", "", true},
    {"", "a", false},
    {"*", "", true},
    {"*", ".hidden", true},
    {"**a**", "bab", true},
    {"*.txt", "a.txt", true},
    {"*.txt", "a.txt.gz", false},
    {"a*b*c", "axxbxbxc", true},
    {"a*b*c", "axxcxb", false},
    {"?", "\xc3\xa9", true},        // é is one character
    {"??", "\xc3\xa9", false},      //
    {"?", "\xff", true},            // and so is a byte that is none
    {"??", "\xc3\xff", true},       //
    {"?", "\n", true},              //
    {"???", "\xed\xa0\x80", true},  // half of a pair is no character
    {"[abc]", "b", true},
    {"[!abc]", "b", false},
    {"[!abc]", "\xff", true},
    {"[^a]", "a", true},
    {"[]]", "]", true},
    {"[!]]", "]", false},
    {"[]-a]", "^", true},
    {"[]", "[]", true},
    {"[!]", "[!]", true},
    {"[a", "[a", true},
    {"[a-c]", "b", true},
    {"[a-]", "-", true},
    {"[-a]", "-", true},
    {"[--0]", ".", true},
    {"[a-c-e]", "-", true},
    {"[a-c-e]", "d", false},
    {"[z-a]", "m", false},
    {"[!z-a]", "m", true},
    {"[z-a!m]", "m", false},  // without its empty range it begins with "!"
    {"[z-a!m]", "z", true},
    {"[\xc3\xa0-\xc3\xbf]", "\xc3\xa9", true},
    {"[\xc3\xa0-\xc3\xbf]", "\xc3", false},
    {"[\x80-\xc3\xa9]", "\xc2\x82", false},          // bytes sort as the surrogates they become
    {"[\xe6\x97\xa5-\xff]", "\x80", true},           //
    {"[\x80-\xee\x80\x80]", "\xff", true},           //
    {"[\x80-\xee\x80\x80]", "\xe6\x97\xa5", false},  //
    {"\\*", "\\x", true},
    {"\\*", "*", false},
};

TEST(Pattern, IsWhatFnmatchMakesOfIt) {
    for (const Case& c : cases) {
        EXPECT_EQ(matches(c.pattern, c.name), c.expected) << c.pattern << " on " << c.name;
    }
}

TEST(Pattern, NeedsNoTimeForManyStars) {
    std::string pattern;
    for (int i = 0; i < 100; ++i) pattern += "a*";
    EXPECT_FALSE(matches(pattern + "b", std::string(255, 'a')));
    EXPECT_TRUE(matches(pattern + "b", std::string(254, 'a') + "b"));
}

TEST(Patterns, MatchWhenOneOfThemDoes) {
    EXPECT_FALSE(Patterns({}).match("a"));
    EXPECT_TRUE(Patterns({"b", "a"}).match("a"));
    EXPECT_FALSE(Patterns({"b", "?a"}).match("a"));
}

}  // namespace
}  // namespace filetree::compare
