#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "filetree/fs.hpp"

namespace filetree {
namespace {

Listing three() {
    Listing names;
    names.add("a", EntryType::regular);
    names.add("", EntryType::directory);
    names.add("long name\n", EntryType::unknown);
    return names;
}

TEST(Listing, KeepsNamesAndTypesInTheirOrder) {
    const Listing names = three();
    ASSERT_EQ(names.size(), 3U);
    EXPECT_EQ(names.name(0), "a");
    EXPECT_EQ(names.name(1), "");
    EXPECT_EQ(names.name(2), "long name\n");
    EXPECT_STREQ(names.c_str(2), "long name\n");
    EXPECT_EQ(names.type(1), EntryType::directory);
}

TEST(Listing, ATypeCanBeSetByItself) {
    Listing names = three();
    names.set_type(2, EntryType::symlink);
    EXPECT_EQ(names.type(0), EntryType::regular);
    EXPECT_EQ(names.type(1), EntryType::directory);
    EXPECT_EQ(names.type(2), EntryType::symlink);
    EXPECT_EQ(names.name(2), "long name\n");
}

TEST(Listing, WhatIsErasedIsGoneAndTheRestMovesUp) {
    for (std::size_t erased = 0; erased < 3; ++erased) {
        Listing names = three();
        names.erase(erased);
        ASSERT_EQ(names.size(), 2U);
        const Listing whole = three();
        for (std::size_t i = 0; i < 2; ++i) {
            const std::size_t was = i < erased ? i : i + 1;
            EXPECT_EQ(names.name(i), whole.name(was));
            EXPECT_EQ(names.type(i), whole.type(was));
        }
        names.add("new", EntryType::fifo);
        EXPECT_EQ(names.name(2), "new");
        EXPECT_EQ(names.name(1), whole.name(erased == 2 ? 1 : 2));
    }
}

TEST(Listing, ItsFootprintCoversItsNames) {
    Listing names;
    std::size_t characters = 0;
    for (int i = 0; i < 1'000; ++i) {
        const std::string name = "name " + std::to_string(i);
        characters += name.size();
        names.add(name, EntryType::regular);
    }
    EXPECT_GE(names.footprint(), characters + 1'000 * sizeof(EntryType));
    EXPECT_LE(names.footprint(), 4 * (characters + 1'000 * 16));
}

TEST(Listing, WhatIsReservedIsEnough) {
    Listing names;
    names.reserve(100, 1'000);
    const std::size_t reserved = names.footprint();
    EXPECT_GE(reserved, 1'000U + 100 * sizeof(EntryType));
    for (int i = 0; i < 100; ++i) names.add("nine char", EntryType::regular);
    EXPECT_EQ(names.footprint(), reserved);
    EXPECT_EQ(names.size(), 100U);
}

}  // namespace
}  // namespace filetree
