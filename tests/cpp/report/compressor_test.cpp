#include "compressor.hpp"

#include <gtest/gtest.h>

#include <random>

#include "support/decompress.hpp"

namespace filetree::report {
namespace {

using filetree::testing::from_gzip;
using filetree::testing::from_zstd;

std::optional<std::string> decompressed(Compression compression, std::string_view bytes) {
    return compression == Compression::gzip ? from_gzip(bytes) : from_zstd(bytes);
}

// Text that compresses, then noise that does not.
std::string sample(std::size_t size) {
    std::mt19937 random(42);
    std::string out;
    while (out.size() < size / 2) out += "a line that comes again and again\n";
    while (out.size() < size) out.push_back(static_cast<char>(random()));
    out.resize(size);
    return out;
}

class CompressorTest : public ::testing::TestWithParam<Compression> {};

TEST_P(CompressorTest, GivesBackWhatWasPutInWhateverThePieces) {
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{1000}, std::size_t{3'000'000}}) {
        const std::string text = sample(size);
        for (const std::size_t piece :
             {std::size_t{7}, std::size_t{4096}, std::size_t{300'000}, std::size_t{10'000'000}}) {
            if (piece < 4096 && size > 10'000) continue;
            SCOPED_TRACE(::testing::Message() << size << " bytes in pieces of " << piece);
            const auto compressor = make_compressor(GetParam());
            ByteBuffer out;
            for (std::size_t at = 0; at < text.size(); at += piece) {
                compressor->compress(std::string_view(text).substr(at, piece), out);
            }
            compressor->finish(out);
            EXPECT_GT(out.size(), 0U) << "even nothing makes a valid file";
            EXPECT_TRUE(decompressed(GetParam(), out.view()) == text);
        }
    }
}

TEST_P(CompressorTest, MakesTextSmaller) {
    const std::string text(1'000'000, 'a');
    const auto compressor = make_compressor(GetParam());
    ByteBuffer out;
    compressor->compress(text, out);
    compressor->finish(out);
    EXPECT_LT(out.size(), text.size() / 100);
}

TEST_P(CompressorTest, AppendsToWhatTheBufferHolds) {
    const auto compressor = make_compressor(GetParam());
    ByteBuffer out;
    out.append("before");
    compressor->compress("text", out);
    compressor->finish(out);
    ASSERT_TRUE(out.view().starts_with("before"));
    EXPECT_EQ(decompressed(GetParam(), out.view().substr(6)), "text");
}

TEST_P(CompressorTest, ADamagedStreamIsNoticed) {
    const auto compressor = make_compressor(GetParam());
    ByteBuffer out;
    compressor->compress(sample(10'000), out);
    compressor->finish(out);
    std::string damaged(out.view());
    damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
    EXPECT_FALSE(decompressed(GetParam(), damaged) == sample(10'000));
    EXPECT_EQ(decompressed(GetParam(), out.view().substr(0, out.size() - 1)), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(Each, CompressorTest,
                         ::testing::Values(Compression::zstd, Compression::gzip),
                         [](const auto& tested) {
                             return tested.param == Compression::zstd ? "zstd" : "gzip";
                         });

TEST(Compressor, IsNoneForNoCompression) { EXPECT_EQ(make_compressor(Compression::none), nullptr); }

TEST(ByteBuffer, GrowsAndKeepsWhatItHolds) {
    ByteBuffer buffer;
    std::string expected;
    for (int i = 0; i < 10'000; ++i) {
        const std::string piece = std::to_string(i);
        buffer.append(piece);
        expected += piece;
    }
    EXPECT_EQ(buffer.view(), expected);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, 0U);
    buffer.clear();
    EXPECT_EQ(buffer.size(), 0U);
    buffer.ensure(1'000'000);
    std::memset(buffer.end(), 'x', 1'000'000);
    buffer.set_end(buffer.end() + 1'000'000);
    EXPECT_EQ(buffer.size(), 1'000'000U);
}

TEST(ByteBuffer, TakesAnEmptyPieceWhenItIsEmptyItself) {
    ByteBuffer buffer;
    buffer.append(std::string_view());
    EXPECT_EQ(buffer.size(), 0U);
    EXPECT_TRUE(buffer.view().empty());
}

}  // namespace
}  // namespace filetree::report
