// A zip says twice what is in it, and must say the same.

#include "zip_directory.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "archive_reader.hpp"
#include "support/memory_archives.hpp"

namespace filetree::compare {
namespace {

using ::filetree::testing::ArchiveWriter;
using ::filetree::testing::MemorySource;

constexpr std::size_t record_size = 46;

bool never() { return false; }

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
    std::size_t unnoticed = 0;
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
        std::string corrupt = bytes;
        corrupt[bit / 8] = static_cast<char>(corrupt[bit / 8] ^ 1 << bit % 8);
        const std::string found = contents(corrupt);
        if (found == whole) ++unnoticed;
        // What is no file any more has no content: a type in the attributes.
        EXPECT_LE(found.size(), whole.size()) << "bit " << bit;
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

TEST(ZipDirectory, EntriesBehindTheDirectoryAreAnError) {
    std::string bytes = some_zip();
    const std::size_t place = bytes.find("PK\1\2") + 42;
    for (const char far : {'\x01', '\x7f', '\xff'}) {
        bytes[place + 3] = far;
        EXPECT_EQ(contents(bytes), "");
    }
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
