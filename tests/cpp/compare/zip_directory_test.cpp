// A zip says twice what is in it, and must say the same.

#include "zip_directory.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>

#include "archive_reader.hpp"
#include "support/memory_archives.hpp"

namespace filetree::compare {
namespace {

using ::filetree::testing::ArchiveWriter;
using ::filetree::testing::MemorySource;

constexpr std::size_t record_size = 46;

bool never() { return false; }

// How often a source is read.
class CountingSource final : public Source {
   public:
    explicit CountingSource(Source& source) : source_(source) {}
    [[nodiscard]] const std::string& name() const noexcept override { return source_.name(); }
    [[nodiscard]] std::optional<std::uint64_t> size() const noexcept override {
        return source_.size();
    }
    [[nodiscard]] std::size_t read_at(std::uint64_t offset, std::span<char> out) override {
        ++reads_;
        return source_.read_at(offset, out);
    }
    void check_unchanged() override { source_.check_unchanged(); }
    [[nodiscard]] int reads() const noexcept { return reads_; }

   private:
    Source& source_;
    int reads_ = 0;
};

// The names and contents of all files; empty when the archive is an error.
std::string contents(const std::string& bytes, const ArchiveOptions& limits = {}) {
    std::string found;
    try {
        MemorySource source(bytes);
        ArchiveReader reader(source, limits, never);
        ArchiveEntry entry;
        ContentBlock block;
        while (reader.next(entry)) {
            found.append(entry.name).push_back('=');
            while (reader.read(block)) found.append(block.bytes.data(), block.bytes.size());
        }
    } catch (const CompareError& error) {
        EXPECT_EQ(error.failure(), CompareFailure::archive) << error.what();
        return {};
    }
    return found;
}

std::string some_zip() {
    return ArchiveWriter(archive_write_set_format_zip)
        .file("first", "content of the first")
        .file("empty", "")
        .file("last", std::string(100, 'x'))
        .finish();
}

TEST(ZipDirectory, EachBitThatAnotherReaderGoesByCounts) {
    const std::string bytes = some_zip();
    const std::string whole = contents(bytes);
    ASSERT_FALSE(whole.empty());
    // Of flags: encrypted (0), a patch (5), strongly encrypted (6), masked (13).
    const auto counts = [](std::size_t place, unsigned bit) {
        if (place == 8) return bit == 0 || bit == 5 || bit == 6;
        if (place == 9) return bit == 13 - 8;
        const bool is_version = place >= 4 && place < 8;
        const bool is_time = place >= 12 && place < 16;
        const bool is_disk_or_attribute = place >= 34 && place < 42;
        return !is_version && !is_time && !is_disk_or_attribute;
    };
    std::size_t records = 0;
    for (std::size_t record = bytes.find("PK\1\2"); record != std::string::npos;
         record = bytes.find("PK\1\2", record + 1)) {
        ++records;
        const auto name_size = static_cast<std::size_t>(bytes[record + 28]);
        const bool empty = bytes[record + 24] == 0;
        for (std::size_t place = 0; place < record_size + name_size; ++place) {
            for (unsigned bit = 0; bit < 8; ++bit) {
                std::string corrupt = bytes;
                corrupt[record + place] = static_cast<char>(corrupt[record + place] ^ 1 << bit);
                const std::string found = contents(corrupt);
                // What nothing is packed into may be nothing.
                const bool packed_size = place >= 20 && place < 24;
                if (counts(place, bit) && !(empty && packed_size)) {
                    EXPECT_EQ(found, "") << "byte " << place << ", bit " << bit;
                }
            }
        }
    }
    EXPECT_EQ(records, 3);
}

TEST(ZipDirectory, NoBitMakesOtherContentOfIt) {
    const std::string bytes = some_zip();
    const std::string whole = contents(bytes);
    const auto without = [&](const std::string& part) {
        std::string rest = whole;
        return rest.erase(rest.find(part), part.size());
    };
    // A type in the attributes makes no file of it.
    const std::set<std::string> known = {whole, "", without("content of the first"),
                                         without(std::string(100, 'x'))};
    std::size_t unnoticed = 0;
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
        std::string corrupt = bytes;
        corrupt[bit / 8] = static_cast<char>(corrupt[bit / 8] ^ 1 << bit % 8);
        const std::string found = contents(corrupt);
        if (found == whole) ++unnoticed;
        EXPECT_TRUE(known.contains(found)) << "bit " << bit << ": " << found;
    }
    EXPECT_LT(unnoticed, 4 * bytes.size());
}

TEST(ZipDirectory, IsReadInPartsAndHeadersAcrossChunks) {
    ArchiveWriter writer(archive_write_set_format_zip);
    std::string expected;
    for (int i = 0; i < 6000; ++i) {
        const std::string name = std::string(40 + i % 7, 'n') + std::to_string(i);
        writer.file(name, std::to_string(i));
        expected += name + "=" + std::to_string(i);
    }
    const std::string bytes = writer.finish();
    MemorySource source(bytes);
    ASSERT_GT(zip_end(source).value().size, 512U << 10U);
    for (const std::size_t chunk : {std::size_t{4096}, std::size_t{0}}) {
        EXPECT_EQ(contents(bytes, {.chunk_size = chunk, .max_compression_ratio = 0}), expected);
    }
}

TEST(ZipDirectory, AnEntryBehindTheDirectoryIsAnError) {
    const std::string bytes = some_zip();
    const std::size_t record = bytes.rfind("PK\1\2");
    const std::size_t entry = bytes.rfind("PK\3\4");
    const auto size = bytes.find("PK\1\2") - entry;
    std::string behind = bytes + bytes.substr(entry, size);  // in the comment
    behind[bytes.size() - 2] = static_cast<char>(size);
    ASSERT_EQ(contents(behind), contents(bytes));
    behind[record + 42] = static_cast<char>(bytes.size());
    behind[record + 43] = static_cast<char>(bytes.size() >> 8U);
    EXPECT_EQ(contents(behind), "");
}

TEST(ZipDirectory, IsReadOnlyWithinTheLimits) {
    const std::string bytes = some_zip();
    MemorySource source(bytes);
    SourceStream stream(source, 4096, never);
    const std::uint64_t size = zip_end(source).value().size;
    EXPECT_NO_THROW(ZipDirectory(source, stream, size, never));
    EXPECT_THROW(ZipDirectory(source, stream, size - 1, never), CompareError);
    EXPECT_THROW(ZipDirectory(source, stream, size, [] { return true; }), CompareError);
}

TEST(SourceStream, ReadsNothingTwiceThatTheLastTwoChunksHold) {
    std::string bytes(1000, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i % 251);
    MemorySource inner(bytes);
    CountingSource source(inner);
    SourceStream stream(source, 100, never);
    std::string out(60, '\0');
    EXPECT_EQ(stream.read_at(0, out), 60);
    EXPECT_EQ(source.reads(), 1);  // there is none yet
    (void)stream.next();
    (void)stream.next();
    ASSERT_EQ(source.reads(), 3);
    for (const std::size_t place : {0U, 99U, 70U, 100U, 140U}) {
        EXPECT_EQ(stream.read_at(place, out), 60);
        EXPECT_EQ(out, bytes.substr(place, 60)) << place;
    }
    EXPECT_EQ(source.reads(), 3);
    EXPECT_EQ(stream.read_at(170, out), 60);
    EXPECT_EQ(out, bytes.substr(170, 60));
    EXPECT_EQ(source.reads(), 4);
    EXPECT_EQ(stream.read_at(980, out), 20);
    EXPECT_EQ(stream.next().front(), bytes[200]);
}

TEST(ZipEnd, SaysWhereTheDirectoryIsAndHowFarAllIsMoved) {
    const std::string bytes = some_zip();
    MemorySource source(bytes);
    const ZipEnd end = zip_end(source).value();
    EXPECT_EQ(end.directory, bytes.find("PK\1\2"));
    EXPECT_EQ(end.directory + end.size, bytes.find("PK\5\6"));
    EXPECT_EQ(end.entries, 3);
    EXPECT_EQ(end.moved, 0);
    EXPECT_FALSE(end.is_of_volume);

    const std::string behind = std::string(1000, 'p') + bytes;
    MemorySource moved(behind);
    EXPECT_EQ(zip_end(moved).value().moved, 1000);
    EXPECT_EQ(contents(behind), contents(bytes));
}

TEST(ZipEnd, IsNotThereWhereItCannotBeTrue) {
    const std::string bytes = some_zip();
    const std::size_t end = bytes.find("PK\5\6");
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        MemorySource cut(bytes.substr(0, length));
        EXPECT_FALSE(zip_end(cut)) << length;
    }
    for (const std::size_t field : {std::size_t{12}, std::size_t{16}}) {  // its size, its place
        std::string wrong = bytes;
        wrong.replace(end + field, 4, "\xfe\xff\xff\x7f");
        MemorySource source(wrong);
        EXPECT_FALSE(zip_end(source));
    }
}

}  // namespace
}  // namespace filetree::compare
