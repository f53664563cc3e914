// Two archives: the same files or not, in whatever order and format.

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <set>
#include <thread>

#include "filetree/compare.hpp"
#include "support/limits.hpp"
#include "support/memory_archives.hpp"

namespace filetree {
namespace {

using testing::ArchiveWriter;
using testing::mebi;
using testing::patience;

const char* name_of(DiffReason reason) {
    return reason == DiffReason::size_mismatch ? "size" : "content";
}

class ArchivePair : public ::testing::TestWithParam<bool> {
   protected:
    // What differs, sorted: "<a" on the left only, ">a" on the right only, "a:size", "(a)" skipped;
    // or the failure.
    std::set<std::string> outcome(const std::string& a, const std::string& b,
                                  ArchiveOptions options = {}) {
        fs->set("a", a);
        fs->set("b", b);
        options.hash_compare = GetParam();
        return outcome_of("a", "b", options);
    }
    std::set<std::string> outcome_of(const std::string& a, const std::string& b,
                                     const ArchiveOptions& options) {
        ArchiveComparison comparison(pool, fs, a, b, options);
        if (!comparison.wait(patience)) return {"still running"};
        if (const auto failure = comparison.failure()) {
            try {
                std::rethrow_exception(failure);
            } catch (const CompareError& error) {
                return {error.what()};
            }
        }
        const Differences& found = comparison.differences();
        std::set<std::string> all;
        for (const auto& [name, reason] : found.diff) all.insert(name + ":" + name_of(reason));
        for (const std::string& name : found.only_left) all.insert("<" + name);
        for (const std::string& name : found.only_right) all.insert(">" + name);
        for (const std::string& name : found.skipped) all.insert("(" + name + ")");
        return all;
    }

    const std::shared_ptr<testing::MemoryFileSystem> fs =
        std::make_shared<testing::MemoryFileSystem>();
    Pool pool{4};
};

using Strings = std::set<std::string>;

const std::string large(5 * mebi, 'l');

std::string tar(const std::vector<std::pair<std::string, std::string>>& files) {
    ArchiveWriter writer;
    for (const auto& [name, content] : files) writer.file(name, content);
    return writer.finish();
}

TEST_P(ArchivePair, TheOrderDoesNotMatter) {
    const std::string a = tar({{"a", "1"}, {"b", large}, {"c", "3"}});
    EXPECT_EQ(outcome(a, tar({{"a", "1"}, {"b", large}, {"c", "3"}})), Strings{});
    EXPECT_EQ(outcome(a, tar({{"c", "3"}, {"b", large}, {"a", "1"}})), Strings{});
    EXPECT_EQ(outcome(a, tar({{"a", "1"}, {"c", "3"}, {"b", large}})), Strings{});
}

TEST_P(ArchivePair, EveryKindOfDifferenceIsFoundWhateverTheOrder) {
    std::string changed = large;
    changed.back() = 'L';
    const std::string a = tar({{"a", "1"}, {"b", large}, {"c", "3"}, {"d", "4"}, {"e", "5"}});
    const Strings expected{"<e", ">f", "b:content", "c:size"};
    EXPECT_EQ(outcome(a, tar({{"a", "1"}, {"b", changed}, {"c", "33"}, {"d", "4"}, {"f", "5"}})),
              expected);
    EXPECT_EQ(outcome(a, tar({{"f", "5"}, {"d", "4"}, {"c", "33"}, {"b", changed}, {"a", "1"}})),
              expected);
}

TEST_P(ArchivePair, FormatsMayDiffer) {
    const std::string a = tar({{"a", "1"}, {"b", large}});
    for (const auto& format : {archive_write_set_format_zip, archive_write_set_format_7zip,
                               archive_write_set_format_cpio_newc, archive_write_set_format_pax}) {
        const std::string b = ArchiveWriter(format).file("./a", "1").file("b", large).finish();
        EXPECT_EQ(outcome(a, b), Strings{});
    }
}

TEST_P(ArchivePair, TheLastOfANameCounts) {
    const std::string once = tar({{"a", "2"}, {"b", "x"}});
    EXPECT_EQ(outcome(tar({{"a", "1"}, {"b", "x"}, {"a", "2"}}), once), Strings{});
    EXPECT_EQ(outcome(tar({{"a", "2"}, {"b", "x"}, {"a", "1"}}), once), Strings{"a:content"});
    EXPECT_EQ(outcome(tar({{"a", "1"}, {"a", "2"}, {"b", "x"}}), once), Strings{});
    EXPECT_EQ(outcome(tar({{"a", "1"}, {"a", "2"}}), tar({{"a", "0"}, {"a", "2"}})), Strings{});
    EXPECT_EQ(outcome(tar({{"a", "0"}, {"a", "2"}}), tar({{"a", "0"}, {"a", "1"}})),
              Strings{"a:content"});
}

TEST_P(ArchivePair, ALinkOfTheSameNameTakesTheFilesPlace) {
    const std::string file = tar({{"a", "1"}});
    const std::string then_link = ArchiveWriter().file("a", "1").symlink("a", "b").finish();
    const std::string link_first = ArchiveWriter().symlink("a", "b").file("a", "1").finish();
    EXPECT_EQ(outcome(file, then_link), (Strings{"<a", "(a)"}));
    EXPECT_EQ(outcome(file, link_first), (Strings{"(a)"}));
}

TEST_P(ArchivePair, AHardLinkHasItsTargetsContent) {
    const std::string files = tar({{"a", "1"}, {"b", "1"}, {"c", "1"}});
    const std::string links =
        ArchiveWriter().file("a", "1").hard_link("b", "./a").hard_link("c", "b").finish();
    EXPECT_EQ(outcome(files, links), Strings{});
    EXPECT_EQ(outcome(links, links), Strings{});
    EXPECT_EQ(outcome(links, tar({{"a", "1"}, {"b", "2"}, {"c", "1"}})), Strings{"b:content"});
    const std::string other =
        ArchiveWriter().file("a", "2").hard_link("b", "a").hard_link("c", "b").finish();
    EXPECT_EQ(outcome(links, other), (Strings{"a:content", "b:content", "c:content"}));
    const std::string replaced =
        ArchiveWriter().file("a", "1").hard_link("b", "a").file("a", "2").finish();
    EXPECT_EQ(outcome(replaced, tar({{"a", "2"}, {"b", "1"}})), Strings{})
        << "the link is to what the name was then";
}

TEST_P(ArchivePair, AHardLinkToNothingIsAnError) {
    const std::string bad = ArchiveWriter().file("a", "1").hard_link("b", "none").finish();
    EXPECT_EQ(outcome(bad, tar({{"a", "1"}, {"b", "1"}})),
              Strings{"a: the hard link b is to none, which is not before it in the archive"});
}

TEST_P(ArchivePair, AHardLinkToWhatIsSkippedIsSkipped) {
    const std::string bytes =
        ArchiveWriter().symlink("a", "x").hard_link("b", "a").file("c", "1").finish();
    EXPECT_EQ(outcome(bytes, tar({{"c", "1"}})), (Strings{"(a)", "(b)"}));
}

TEST_P(ArchivePair, AFailureOfOneSideIsNoAnswerWhateverDiffers) {
    const std::string whole = tar({{"a", "1"}, {"b", large}, {"c", "3"}});
    const std::string cut = whole.substr(0, whole.size() - 1024);
    const std::string other = tar({{"x", "1"}});
    const Strings expected{"b: truncated: there is no end-of-archive marker"};
    EXPECT_EQ(outcome(whole, cut), expected);
    EXPECT_EQ(outcome(other, cut), expected);
    EXPECT_EQ(outcome(std::string(1024, '\0'), cut), expected);
}

TEST_P(ArchivePair, AnArchiveAndItselfIsStillRead) {
    fs->set("a", tar({{"a", "1"}, {"b", large}}));
    EXPECT_EQ(outcome_of("a", "a", {}), Strings{});
    fs->files["a"].bytes.resize(2 * mebi);
    EXPECT_EQ(outcome_of("a", "a", {}), Strings{"a: Truncated tar archive"});
    fs->set("a", ArchiveWriter().symlink("s", "x").finish());
    EXPECT_EQ(outcome_of("a", "a", {}), Strings{"(s)"});
}

TEST_P(ArchivePair, AFileThatChangesMeanwhileIsNoAnswer) {
    fs->set("a", tar({{"a", "1"}, {"b", large}}));
    fs->set("b", tar({{"a", "1"}, {"c", large}}));
    fs->files["b"].on_read = [this] {
        ++fs->files["a"].changes;
        return 0;
    };
    EXPECT_EQ(outcome_of("a", "b", {.hash_compare = GetParam()}),
              Strings{"a: the file changed while it was compared"});
}

TEST_P(ArchivePair, AnErrorWhileReadingIsNoAnswer) {
    fs->set("a", tar({{"b", large}}));
    fs->set("b", tar({{"b", large}}));
    int reads = 0;
    fs->files["b"].on_read = [&reads] { return ++reads > 5 ? EIO : 0; };
    EXPECT_EQ(outcome_of("a", "b", {.hash_compare = GetParam()}), Strings{"b: Input/output error"});
    EXPECT_EQ(outcome_of("a", "missing", {}), Strings{"missing: No such file or directory"});
}

TEST_P(ArchivePair, LimitsAreOfEachSide) {
    const std::string a = tar({{"a", std::string(600, 'x')}});
    const std::string b = tar({{"b", std::string(600, 'x')}});
    EXPECT_EQ(outcome(a, b, {.max_decompressed_size = 600, .max_entries = 1}),
              (Strings{"<a", ">b"}));
}

TEST_P(ArchivePair, StopsSoonAfterItIsCancelled) {
    fs->set("a", tar({{"a", large}}));
    fs->set("b", tar({{"a", large}}));
    std::atomic<int> reads{0};
    fs->files["a"].on_read = [&reads] {
        ++reads;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        return 0;
    };
    ArchiveComparison comparison(pool, fs, "a", "b",
                                 {.chunk_size = 4096, .hash_compare = GetParam()});
    while (reads < 10) std::this_thread::yield();
    comparison.cancel();
    EXPECT_TRUE(comparison.wait(patience));
    EXPECT_NE(comparison.failure(), nullptr);
    EXPECT_LT(reads, 1000) << "of 1280 chunks";
}

TEST_P(ArchivePair, ManyAtOnceShareThePool) {
    const std::string a = tar({{"a", "1"}, {"b", large}, {"c", "3"}});
    const std::string b = tar({{"c", "3"}, {"b", large}, {"a", "1"}});
    fs->set("a", a);
    fs->set("b", b);
    std::vector<std::unique_ptr<ArchiveComparison>> all;
    for (int i = 0; i < 50; ++i) {
        all.push_back(std::make_unique<ArchiveComparison>(
            pool, fs, i % 2 != 0 ? "a" : "b", "a", ArchiveOptions{.hash_compare = GetParam()}));
    }
    for (const auto& comparison : all) {
        ASSERT_TRUE(comparison->wait(patience));
        EXPECT_EQ(comparison->failure(), nullptr);
        EXPECT_TRUE(comparison->differences().equal());
    }
}

INSTANTIATE_TEST_SUITE_P(All, ArchivePair, ::testing::Bool(),
                         [](const auto& run) { return run.param ? "Hashed" : "InStep"; });

TEST(SourceProbe, AnArchiveIsToldByWhatIsInTheFile) {
    const auto fs = std::make_shared<testing::MemoryFileSystem>();
    fs->set("tar", tar({{"a", "1"}}));
    fs->set("zip", ArchiveWriter(archive_write_set_format_zip).file("a", "1").finish());
    fs->set("encrypted", fs->files["zip"].bytes.replace(6, 1, "\x01"));
    fs->set("zeros", std::string(4096, '\0'));
    fs->set("text", std::string(4096, 'x'));
    fs->set("empty", {});
    Pool pool;
    const auto kind_of = [&](const char* name) {
        SourceProbe probe(pool, fs, name);
        EXPECT_TRUE(probe.wait(patience));
        if (probe.failure()) std::rethrow_exception(probe.failure());
        return probe.kind();
    };
    for (const char* const name : {"tar", "zip", "encrypted"}) {
        EXPECT_EQ(kind_of(name), SourceKind::archive) << name;
    }
    for (const char* const name : {"zeros", "text", "empty"}) {
        EXPECT_EQ(kind_of(name), SourceKind::file) << name;
    }
    EXPECT_THROW((void)kind_of("missing"), CompareError);
}

}  // namespace
}  // namespace filetree
