#include "decoder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "filetree/http.hpp"

namespace filetree::http {
namespace {

std::string packed(std::string_view content, int window = MAX_WBITS + 16) {
    z_stream stream{};
    EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    std::string out(deflateBound(&stream, content.size()) + 100, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
    stream.avail_in = static_cast<uInt>(content.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(out.size() - stream.avail_out);
    (void)deflateEnd(&stream);
    return out;
}

struct Unpacked {
    std::string content;
    bool whole;
    std::size_t largest;  // piece
};

Unpacked unpacked(std::string_view input, std::size_t step) {
    Decoder decoder;
    Unpacked all{"", true, 0};
    while (!input.empty()) {
        const std::string_view piece = input.substr(0, step);
        input.remove_prefix(piece.size());
        decoder.add({piece.begin(), piece.end()});
        std::vector<char> out;
        while (decoder.go_on(out)) {
            all.content.append(out.data(), out.size());
            all.largest = std::max(all.largest, out.size());
        }
        EXPECT_TRUE(decoder.lacks_input());
    }
    all.whole = decoder.is_whole();
    return all;
}

const std::string content = [] {
    std::string text;
    for (int n = 0; n < 2000; ++n) text += std::to_string(n * 7919);
    return text;
}();

TEST(DecoderTest, WhatComesInPiecesOfAnySize) {
    for (const int window : {MAX_WBITS + 16, MAX_WBITS}) {
        for (const std::size_t step : {1U, 7U, 4096U, 1U << 30U}) {
            const Unpacked all = unpacked(packed(content, window), step);
            EXPECT_EQ(all.content, content);
            EXPECT_TRUE(all.whole);
        }
    }
}

TEST(DecoderTest, MuchFromLittleComesInPieces) {
    const std::string zeros(std::size_t{50} << 20U, '\0');
    const Unpacked all = unpacked(packed(zeros), 1U << 30U);
    EXPECT_EQ(all.content, zeros);
    EXPECT_TRUE(all.whole);
    EXPECT_LE(all.largest, std::size_t{1} << 20U);
}

TEST(DecoderTest, SeveralMembersAreOneContent) {
    const Unpacked all = unpacked(packed("one ") + packed("") + packed("two"), 3);
    EXPECT_EQ(all.content, "one two");
    EXPECT_TRUE(all.whole);
}

TEST(DecoderTest, WhatIsCutIsNotWhole) {
    const std::string all = packed(content);
    for (const std::size_t length :
         {std::size_t{1}, std::size_t{10}, all.size() / 2, all.size() - 1}) {
        EXPECT_FALSE(unpacked(std::string_view(all).substr(0, length), 100).whole) << length;
    }
    EXPECT_FALSE(unpacked(all + "\x1f", 100).whole);
    EXPECT_TRUE(unpacked("", 100).whole);
}

TEST(DecoderTest, WhatIsWrongIsAnError) {
    EXPECT_THROW((void)unpacked(content, 100), HttpError);
    EXPECT_THROW((void)unpacked(packed(content) + "more", 100), HttpError);
    std::string changed = packed(content);
    changed[changed.size() - 6] ^= 1;  // the checksum
    EXPECT_THROW((void)unpacked(changed, 100), HttpError);
}

TEST(DecoderTest, OnlySomeCodingsAreKnown) {
    for (const char* name : {"", "identity"}) EXPECT_EQ(coding_of(name), Coding::identity);
    for (const char* name : {"gzip", "x-gzip", "deflate"}) {
        EXPECT_EQ(coding_of(name), Coding::deflated);
    }
    for (const char* name : {"br", "zstd", "gzip, gzip", "gzipped"}) EXPECT_FALSE(coding_of(name));
}

}  // namespace
}  // namespace filetree::http
