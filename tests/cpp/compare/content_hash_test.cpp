#include "content_hash.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace filetree::compare {
namespace {

ContentHash::Tag tag_of(ContentHash& hash, const std::string& content, std::size_t piece) {
    for (std::size_t place = 0; place < content.size(); place += piece) {
        hash.add({content.data() + place, std::min(piece, content.size() - place)});
    }
    return hash.finish();
}

TEST(ContentHash, IsTheSameHoweverTheContentIsCut) {
    const HashKey key;
    ContentHash hash(key);
    std::string content;
    for (int i = 0; i < 10000; ++i) content += static_cast<char>(i * i % 251);
    const ContentHash::Tag whole = tag_of(hash, content, content.size());
    for (const std::size_t piece : {1U, 7U, 16U, 4096U}) {
        EXPECT_EQ(tag_of(hash, content, piece), whole) << piece;
    }
    ContentHash other(key);
    EXPECT_EQ(tag_of(other, content, 100), whole) << "the key is all that it depends on";
}

TEST(ContentHash, DiffersWithEveryBitAndLength) {
    const HashKey key;
    ContentHash hash(key);
    std::set<ContentHash::Tag> tags;
    for (std::size_t length = 0; length < 100; ++length) {
        tags.insert(tag_of(hash, std::string(length, '\0'), 1000));
    }
    for (std::size_t bit = 0; bit < 50 * 8; ++bit) {
        std::string content(50, '\0');
        content[bit / 8] = static_cast<char>(1U << bit % 8);
        tags.insert(tag_of(hash, content, 1000));
    }
    EXPECT_EQ(tags.size(), 100U + 50 * 8);
}

TEST(ContentHash, ZerosAreBytes) {
    const HashKey key;
    ContentHash hash(key);
    for (const std::size_t count : {0U, 1U, 65536U, 300001U}) {
        const ContentHash::Tag bytes = tag_of(hash, "x" + std::string(count, '\0') + "y", 5000);
        hash.add({"x", 1});
        hash.add_zeros(count);
        hash.add({"y", 1});
        EXPECT_EQ(hash.finish(), bytes) << count;
    }
}

TEST(ContentHash, NobodyCanTellAHashWithoutTheKey) {
    ContentHash a{HashKey()};
    ContentHash b{HashKey()};
    EXPECT_NE(tag_of(a, "content", 100), tag_of(b, "content", 100));
}

}  // namespace
}  // namespace filetree::compare
