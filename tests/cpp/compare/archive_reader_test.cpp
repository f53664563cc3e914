// One archive, entry by entry: what is in it, what it may cost, and that it is whole.

#include "archive_reader.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>

#include "archive_name.hpp"
#include "support/memory_archives.hpp"

namespace filetree::compare {
namespace {

using ::filetree::testing::ArchiveWriter;
using ::filetree::testing::MemorySource;
using Kind = ArchiveEntry::Kind;

bool never() { return false; }

// "name=content" of files, "name->target" of links, "(name)" of what is skipped; at the end what it
// failed with.
std::vector<std::string> contents(Source& source, const ArchiveOptions& limits = {}) {
    std::vector<std::string> found;
    try {
        ArchiveReader reader(source, limits, never);
        ArchiveEntry entry;
        ContentBlock block;
        while (reader.next(entry)) {
            std::string content;
            while (reader.read(block)) {
                content.append(block.zeros, '\0').append(block.bytes.data(), block.bytes.size());
            }
            if (entry.kind == Kind::file) found.push_back(entry.name + "=" + content);
            if (entry.kind == Kind::hard_link) found.push_back(entry.name + "->" + entry.target);
            if (entry.kind == Kind::skipped) found.push_back("(" + entry.name + ")");
        }
    } catch (const CompareError& error) {
        const bool bomb = error.failure() == CompareFailure::bomb;
        found.push_back((bomb ? "bomb: " : "failed: ") + std::string(error.what()));
    }
    return found;
}

std::vector<std::string> contents(const std::string& bytes, const ArchiveOptions& limits = {}) {
    MemorySource source(bytes);
    return contents(source, limits);
}

bool fails(const std::string& bytes) {
    const auto found = contents(bytes);
    return !found.empty() && found.back().starts_with("failed: it: ");
}

using Strings = std::vector<std::string>;

const std::vector<std::pair<const char*, ArchiveWriter::Setup>> formats = {
    {"gnutar", archive_write_set_format_gnutar}, {"ustar", archive_write_set_format_ustar},
    {"pax", archive_write_set_format_pax},       {"newc", archive_write_set_format_cpio_newc},
    {"odc", archive_write_set_format_cpio_odc},  {"zip", archive_write_set_format_zip},
    {"7zip", archive_write_set_format_7zip},
};

const std::vector<std::pair<const char*, ArchiveWriter::Setup>> filters = {
    {"none", archive_write_add_filter_none},   {"gzip", archive_write_add_filter_gzip},
    {"bzip2", archive_write_add_filter_bzip2}, {"xz", archive_write_add_filter_xz},
    {"lzma", archive_write_add_filter_lzma},   {"zstd", archive_write_add_filter_zstd},
};

std::string some_tar(const ArchiveWriter::Setup& filter = archive_write_add_filter_none) {
    return ArchiveWriter(archive_write_set_format_gnutar, filter)
        .file("a", "first")
        .file("b", std::string(3000, '\0'))
        .finish();
}

TEST(ArchiveReader, FindsTheSameInEveryFormat) {
    for (const auto& [name, format] : formats) {
        const std::string bytes = ArchiveWriter(format)
                                      .directory("d")
                                      .file("d/a", "content")
                                      .file("./e//f/./g", "")
                                      .finish();
        EXPECT_EQ(contents(bytes), (Strings{"d/a=content", "e/f/g="})) << name;
    }
}

TEST(ArchiveReader, AZipMayHoldNothing) {
    const std::string end = "PK\x05\x06" + std::string(16, '\0');
    EXPECT_EQ(contents(end + std::string(2, '\0')), Strings{});
    EXPECT_EQ(contents(end + std::string("\x03\0you", 5)), Strings{});
    EXPECT_TRUE(fails(end + std::string("\x03\0yo", 4)));
    EXPECT_TRUE(fails(end + std::string(1, '\0')));
}

TEST(ArchiveReader, FindsTheSameInEveryCompression) {
    for (const auto& [name, filter] : filters) {
        EXPECT_EQ(contents(some_tar(filter)), (Strings{"a=first", "b=" + std::string(3000, '\0')}))
            << name;
    }
}

TEST(ArchiveReader, SkipsWhatIsNoFileOrLeadsOutside) {
    const std::string bytes = ArchiveWriter()
                                  .symlink("link", "a")
                                  .fifo("pipe")
                                  .file("/absolute", "1")
                                  .file("d/../../up", "2")
                                  .file("a", "3")
                                  .hard_link("b", "./a")
                                  .hard_link("c", "/absolute")
                                  .finish();
    EXPECT_EQ(contents(bytes),
              (Strings{"(link)", "(pipe)", "(/absolute)", "(d/../../up)", "a=3", "b->a", "(c)"}));
}

TEST(ArchiveReader, NamesAreBytes) {
    const std::string odd = "\xff\xfe \xc3\xa9 e\xcc\x81";  // not UTF-8, composed, decomposed
    for (const auto& [name, format] : formats) {
        if (std::string_view(name) == "7zip") continue;  // has UTF-16 only
        const std::string bytes = ArchiveWriter(format).file(odd, "x").finish();
        EXPECT_EQ(contents(bytes), (Strings{odd + "=x"})) << name;
    }
}

TEST(ArchiveReader, NamesInUtf16ComeAsUtf8WhateverTheLocale) {
    ASSERT_STREQ(std::setlocale(LC_CTYPE, nullptr), "C");
    const locale_t utf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    const locale_t before = ::uselocale(utf8);
    const std::string bytes =
        ArchiveWriter(archive_write_set_format_7zip).file("\xc3\xa9\xe2\x82\xac", "x").finish();
    ::uselocale(before);
    ::freelocale(utf8);
    EXPECT_EQ(contents(bytes), (Strings{"\xc3\xa9\xe2\x82\xac=x"}));
}

TEST(ArchiveReader, ATarThatIsCutAtAnyPlaceIsAnErrorUntilItsMarker) {
    const std::string tar = some_tar();
    const std::size_t end = 512 + 512 + 512 + 3072;  // of the entries
    for (std::size_t length = 0; length < end + 1024; length += 256) {
        EXPECT_TRUE(fails(tar.substr(0, length))) << length;
    }
    EXPECT_FALSE(fails(tar.substr(0, end + 1024))) << "what follows is padding";
}

TEST(ArchiveReader, ACompressedTarThatIsCutAnywhereIsAnError) {
    for (const auto& [name, filter] : filters) {
        if (std::string_view(name) == "none") continue;
        const std::string whole = some_tar(filter);
        for (std::size_t length = 0; length < whole.size(); ++length) {
            ASSERT_TRUE(fails(whole.substr(0, length))) << name << ' ' << length;
        }
    }
}

TEST(ArchiveReader, WhatFollowsTheEndIsAnErrorUnlessItIsZeros) {
    for (const auto& [name, filter] : filters) {
        const std::string whole = some_tar(filter);
        EXPECT_TRUE(fails(whole + "garbage")) << name;
    }
    EXPECT_FALSE(fails(some_tar() + std::string(20000, '\0')));
    EXPECT_TRUE(fails(some_tar() + some_tar()));
    EXPECT_FALSE(fails(some_tar(archive_write_add_filter_gzip) + std::string(700, '\0')));
    const std::string cpio =
        ArchiveWriter(archive_write_set_format_cpio_newc).file("a", "b").finish();
    EXPECT_FALSE(fails(cpio + std::string(700, '\0')));
    EXPECT_TRUE(fails(cpio + cpio));
}

TEST(ArchiveReader, SeveralGzipMembersAreOneStream) {
    const std::string tar = some_tar();
    std::string whole;
    for (const std::size_t first : {std::size_t{0}, std::size_t{700}}) {
        const std::size_t length = first == 0 ? 700 : tar.size() - 700;
        // Of the raw bytes, as any file.
        archive* const handle = archive_write_new();
        archive_write_set_format_raw(handle);
        archive_write_add_filter_gzip(handle);
        archive_write_set_bytes_in_last_block(handle, 1);
        std::vector<char> out(100000);
        std::size_t used = 0;
        archive_write_open_memory(handle, out.data(), out.size(), &used);
        archive_entry* const entry = archive_entry_new();
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_write_header(handle, entry);
        (void)archive_write_data(handle, tar.data() + first, length);
        archive_write_free(handle);
        archive_entry_free(entry);
        whole.append(out.data(), used);
    }
    EXPECT_EQ(contents(whole).front(), "a=first");
    EXPECT_FALSE(fails(whole));
}

TEST(ArchiveReader, AGzipChecksumThatIsWrongIsAnError) {
    std::string whole = some_tar(archive_write_add_filter_gzip);
    whole[whole.size() - 6] = static_cast<char>(whole[whole.size() - 6] ^ 1);
    EXPECT_TRUE(fails(whole));
}

TEST(ArchiveReader, AZipWithoutItsDirectoryIsAnError) {
    const std::string zip =
        ArchiveWriter(archive_write_set_format_zip).file("a", "some content").finish();
    for (std::size_t length = 0; length < zip.size(); ++length) {
        ASSERT_TRUE(fails(zip.substr(0, length))) << length;
    }
    EXPECT_EQ(contents(zip.substr(0, 60)),
              (Strings{"failed: it: truncated: a zip without its central directory"}));
}

TEST(ArchiveReader, ATarOfNoEntriesIsAnArchive) {
    EXPECT_EQ(contents(std::string(1024, '\0')), Strings{});
    EXPECT_TRUE(fails(std::string(512, '\0')));
}

TEST(ArchiveReader, WhatIsNoArchiveSaysSo) {
    for (const std::string& bytes :
         {std::string(), std::string("text\n"), std::string(5000, 'x')}) {
        EXPECT_EQ(contents(bytes), (Strings{"failed: it: not an archive of a known format"}));
    }
}

TEST(ArchiveReader, EachLimitHoldsAndSaysBothFigures) {
    ArchiveWriter writer;
    for (int i = 0; i < 5; ++i) writer.file("name" + std::to_string(i), std::string(1000, 'x'));
    const std::string tar = writer.finish();
    EXPECT_FALSE(contents(tar, {.max_decompressed_size = 5000,
                                .max_compression_ratio = 1,
                                .max_entries = 5,
                                .max_name_length = 5})
                     .back()
                     .starts_with("bomb"));
    EXPECT_EQ(contents(tar, {.max_decompressed_size = 4999}).back(),
              "bomb: it: archive bomb: 5000 decompressed bytes, and max_decompressed_size is 4999");
    EXPECT_EQ(contents(tar, {.max_entries = 4}).back(),
              "bomb: it: archive bomb: 5 entries, and max_archive_entries is 4");
    EXPECT_EQ(contents(tar, {.max_name_length = 4}).back(),
              "bomb: it: archive bomb: a name of 5 bytes, and max_entry_name_length is 4");
}

TEST(ArchiveReader, TheRatioIsLookedAtFromAMebibyteOn) {
    const auto compressed = [](std::size_t size) {
        return ArchiveWriter(archive_write_set_format_gnutar, archive_write_add_filter_gzip)
            .file("a", std::string(size, 'x'))
            .finish();
    };
    const ArchiveOptions limits{.max_compression_ratio = 20};
    EXPECT_FALSE(contents(compressed(1U << 20U), limits).back().starts_with("bomb"));
    const std::string larger = compressed((1U << 20U) + 1);
    EXPECT_EQ(contents(larger, limits).back(),
              "bomb: it: archive bomb: 1048577 decompressed bytes of " +
                  std::to_string(larger.size()) + ", a ratio of " +
                  std::to_string(1048577 / larger.size()) + ", and max_compression_ratio is 20");
}

TEST(ArchiveReader, SkippedEntriesCountTowardsTheLimits) {
    const std::string tar = ArchiveWriter().file("/a", std::string(1000, 'x')).finish();
    EXPECT_TRUE(contents(tar, {.max_decompressed_size = 999}).back().starts_with("bomb"));
    EXPECT_EQ(contents(tar, {.max_decompressed_size = 1000}), Strings{"(/a)"});
}

TEST(ArchiveReader, ASizeThatIsTooLargeIsRefusedAtTheHeader) {
    const std::string tar = ArchiveWriter().file("a", std::string(5U << 20U, 'x')).finish();
    MemorySource source(tar);
    EXPECT_TRUE(contents(source, {.max_decompressed_size = 1U << 20U}).back().starts_with("bomb"));
    EXPECT_LT(source.read, 1U << 20U);
}

TEST(ArchiveReader, WhatFollowsTheEndCountsToo) {
    const auto gzip = [](std::size_t zeros) {
        archive* const handle = archive_write_new();
        archive_write_set_format_raw(handle);
        archive_write_add_filter_gzip(handle);
        std::vector<char> out(1U << 20U);
        std::size_t used = 0;
        archive_write_open_memory(handle, out.data(), out.size(), &used);
        archive_entry* const entry = archive_entry_new();
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_write_header(handle, entry);
        const std::string content(zeros, '\0');
        (void)archive_write_data(handle, content.data(), content.size());
        archive_write_free(handle);
        archive_entry_free(entry);
        return std::string(out.data(), used);
    };
    EXPECT_EQ(contents(gzip(1U << 20U), {.max_decompressed_size = 1000}), Strings{});
    const auto found = contents(gzip(4U << 20U), {.max_decompressed_size = 1000});
    ASSERT_FALSE(found.empty());
    EXPECT_TRUE(found.back().starts_with("bomb: ")) << found.back();
}

TEST(ArchiveReader, StopsBeforeTheNextChunk) {
    const std::string tar = ArchiveWriter().file("a", std::string(5U << 20U, 'x')).finish();
    MemorySource source(tar);
    std::atomic<bool> stop{false};
    ArchiveReader reader(source, {.chunk_size = 4096}, [&] { return stop.load(); });
    ArchiveEntry entry;
    ContentBlock block;
    ASSERT_TRUE(reader.next(entry));
    ASSERT_TRUE(reader.read(block));
    stop = true;
    const std::uint64_t before = source.read;
    const auto read_on = [&] {
        while (reader.read(block)) {
        }
    };
    EXPECT_THROW(read_on(), CompareError);
    EXPECT_EQ(source.read, before);
}

TEST(ArchiveReader, ReadsAStreamOfUnknownSize) {
    MemorySource source(some_tar(archive_write_add_filter_gzip));
    source.has_size = false;
    EXPECT_EQ(contents(source, {.max_compression_ratio = 1}).front(), "a=first");
}

TEST(NormalizedName, LeavesOutWhatMakesNoDifference) {
    EXPECT_EQ(normalized_name("././a/./b//c"), "a/b/c");
    EXPECT_EQ(normalized_name("a/"), "a");
    EXPECT_EQ(normalized_name(".../..a/a.."), ".../..a/a..");
    for (const char* const outside : {"/a", "..", "a/..", "a/../b", "../a", "", ".", "./"}) {
        EXPECT_EQ(normalized_name(outside), std::nullopt) << outside;
    }
}

}  // namespace
}  // namespace filetree::compare
