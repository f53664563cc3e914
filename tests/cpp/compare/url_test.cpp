// URLs in each kind of comparison, from a server on the loopback interface.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "filetree/compare.hpp"
#include "filetree/posix_fs.hpp"
#include "support/limits.hpp"
#include "support/loopback_server.hpp"
#include "support/memory_archives.hpp"
#include "support/temporary_directory.hpp"

namespace filetree {
namespace {

using std::chrono::milliseconds;
using testing::LoopbackServer;
using testing::mebi;
using testing::Page;
using testing::patience;

std::string random_bytes(std::size_t size) {
    std::mt19937_64 next(size);
    std::string bytes(size, '\0');
    for (std::size_t at = 0; at < size; at += sizeof(std::uint64_t)) {
        const std::uint64_t word = next();
        std::memcpy(bytes.data() + at, &word, std::min(sizeof word, size - at));
    }
    return bytes;
}

std::string changed_at(std::string bytes, std::size_t place) {
    bytes[place] ^= 1;
    return bytes;
}

std::string archive(int (*format)(::archive*),
                    const std::vector<std::pair<std::string, std::string>>& files) {
    testing::ArchiveWriter writer(format);
    for (const auto& [name, content] : files) writer.file(name, content);
    return writer.finish();
}

std::map<std::string, Page> make_pages() {
    const std::string large = random_bytes(20 * mebi);
    const std::string medium = random_bytes(3 * mebi);
    std::map<std::string, Page> pages;
    pages["large"] = pages["large_again"] = {large};
    pages["large_but_the_end"] = {changed_at(large, large.size() - 1)};
    pages["large_but_the_beginning"] = {changed_at(large, 0)};
    pages["medium"] = {medium};
    pages["without_length"] = {medium, false, false};
    pages["without_ranges"] = {medium, true, false};
    pages["slow"] = {medium, true, true, milliseconds(5)};
    pages["other"] = {changed_at(medium, 2 * mebi)};
    pages["empty"] = {""};
    const auto tar = archive_write_set_format_pax_restricted;
    const auto zip = archive_write_set_format_zip;
    pages["tar"] = {archive(tar, {{"a", medium}, {"b", "2"}})};
    pages["tar_without_length"] = {archive(tar, {{"b", "2"}, {"a", medium}}), false, false};
    pages["tar_of_other"] = {archive(tar, {{"b", "3"}, {"a", medium}})};
    pages["zip"] = {archive(zip, {{"a", medium}, {"b", "2"}})};
    pages["zip_without_ranges"] = {pages["zip"].content, true, false};
    pages["zip_without_length"] = {pages["zip"].content, false, false};
    for (int i = 0; i < 100; ++i) pages["small" + std::to_string(i)] = {random_bytes(1000)};
    return pages;
}

class Urls : public ::testing::Test {
   protected:
    static const std::map<std::string, Page>& pages() {
        static const std::map<std::string, Page> pages = make_pages();
        return pages;
    }
    [[nodiscard]] SourceRef url(const std::string& page) const {
        return {server.url(page), std::make_shared<const HttpOptions>()};
    }
    [[nodiscard]] SourceRef file(const std::string& name, const std::string& content) const {
        std::ofstream(directory / name, std::ios::binary) << content;
        return {directory / name};
    }

    static void finish(Comparison& comparison) {
        ASSERT_TRUE(comparison.wait(patience));
        if (comparison.failure()) std::rethrow_exception(comparison.failure());
    }
    [[nodiscard]] bool equal(const SourceRef& a, const SourceRef& b,
                             const CompareOptions& options = {}) {
        FileComparison comparison(pool, fs, a, b, options);
        finish(comparison);
        return comparison.equal();
    }

    LoopbackServer server{pages()};
    testing::TemporaryDirectory directory;
    std::shared_ptr<FileSystem> fs = make_posix_file_system();
    Pool pool;
};

TEST_F(Urls, OfOneContentAreEqualHoweverItComes) {
    const SourceRef here = file("medium", random_bytes(3 * mebi));
    for (const char* const page : {"medium", "without_length", "without_ranges", "slow"}) {
        EXPECT_TRUE(equal(url(page), here)) << page;
        EXPECT_TRUE(equal(here, url(page))) << page;
        EXPECT_TRUE(equal(url(page), url("medium"))) << page;
        EXPECT_FALSE(equal(url(page), url("other"))) << page;
        EXPECT_FALSE(equal(url(page), url("empty"))) << page;
        EXPECT_FALSE(equal(url("empty"), url(page), {.size_precheck = false})) << page;
    }
    EXPECT_TRUE(equal(url("empty"), file("empty", "")));
}

TEST_F(Urls, AreReadByOneRequestAndOnlyAsFarAsTheyAreTheSame) {
    EXPECT_TRUE(equal(url("large"), url("large_again"), {.quick_check = false}));
    EXPECT_EQ(server.requests(), 2U);
    const std::uint64_t before = server.sent();
    EXPECT_FALSE(equal(url("large"), url("large_but_the_beginning"), {.quick_check = false}));
    EXPECT_EQ(server.requests(), 4U);
    EXPECT_LT(server.sent() - before, 30 * mebi) << "of 40";
}

TEST_F(Urls, WhenLargeAreSampledInAFewPlaces) {
    EXPECT_TRUE(equal(url("large"), url("large_again")));
    EXPECT_LE(server.requests(), 10U);
    FileComparison comparison(pool, fs, url("large_but_the_end"), url("large"), {});
    finish(comparison);
    EXPECT_FALSE(comparison.equal());
}

TEST_F(Urls, ThatAreMissingAreFailures) {
    EXPECT_THROW((void)equal(url("nowhere"), file("a", "1")), CompareError);
    EXPECT_THROW((void)equal({"nowhere"}, url("medium")), CompareError);
    EXPECT_EQ(server.requests(), 1U) << "none for the sake of a file that is not there";
}

TEST_F(Urls, KeepTheirConnections) {
    for (int i = 0; i < 20; ++i) {
        const std::string page = "small" + std::to_string(i);
        EXPECT_TRUE(equal(url(page), file(page, random_bytes(1000))));
    }
    EXPECT_LE(server.connections(), 2U);
}

TEST_F(Urls, MayBeCancelledAtAnyMoment) {
    for (int i = 0; i < 50; ++i) {
        std::vector<std::unique_ptr<Comparison>> several;
        for (const char* const page : {"slow", "large", "without_length"}) {
            several.push_back(
                std::make_unique<FileComparison>(pool, fs, url(page), url(page), CompareOptions{}));
            several.push_back(std::make_unique<GroupComparison>(
                pool, fs, std::vector{url(page), url("slow"), url("medium")}, CompareOptions{},
                i % 2 == 0));
        }
        several.push_back(std::make_unique<ArchiveComparison>(pool, fs, url("zip"), url("tar"),
                                                              ArchiveOptions{}));
        std::this_thread::sleep_for(std::chrono::microseconds(i * 200));
        for (const auto& comparison : several) comparison->cancel();
        for (const auto& comparison : several) EXPECT_TRUE(comparison->wait(patience));
    }
}

TEST_F(Urls, APoolEndsWithTransfersUnderWay) {
    for (int i = 0; i < 10; ++i) {
        Pool own;
        std::vector<std::unique_ptr<Comparison>> several;
        for (int j = 0; j < 20; ++j) {
            several.push_back(std::make_unique<FileComparison>(own, fs, url("slow"), url("large"),
                                                               CompareOptions{}));
        }
        std::this_thread::sleep_for(milliseconds(i));
        own.close();
        for (const auto& comparison : several) EXPECT_TRUE(comparison->wait(patience));
    }
}

TEST_F(Urls, ManyAtOnceTakeNoThreadEach) {
    std::vector<std::unique_ptr<FileComparison>> all;
    for (int i = 0; i < 200; ++i) {
        all.push_back(std::make_unique<FileComparison>(pool, fs, url("slow"), url("medium"),
                                                       CompareOptions{}));
    }
    unsigned most = 0;
    for (const auto& comparison : all) {
        while (!comparison->wait(milliseconds(10))) most = std::max(most, pool.threads());
        EXPECT_EQ(comparison->failure(), nullptr);
        EXPECT_TRUE(comparison->equal());
    }
    EXPECT_LT(most, 100U) << "where each had a thread, it would be all of 128";
}

TEST_F(Urls, InGroupsWithFiles) {
    const std::vector<SourceRef> sources{url("medium"),
                                         file("medium", random_bytes(3 * mebi)),
                                         url("other"),
                                         url("without_length"),
                                         url("empty"),
                                         file("empty", ""),
                                         url("large"),
                                         file("large", random_bytes(20 * mebi)),
                                         url("large_but_the_end")};
    GroupComparison comparison(pool, fs, sources, {}, false);
    finish(comparison);
    EXPECT_FALSE(comparison.all_equal());
    EXPECT_EQ(comparison.groups(), (std::vector<std::size_t>{0, 0, 1, 0, 2, 2, 3, 3, 4}));

    const auto all_equal = [&](std::vector<SourceRef> some) {
        GroupComparison whether(pool, fs, std::move(some), {}, true);
        finish(whether);
        return whether.all_equal();
    };
    EXPECT_TRUE(all_equal({sources[0], sources[1], sources[3], url("slow")}));
    EXPECT_FALSE(all_equal({sources[0], sources[2]}));
    EXPECT_FALSE(all_equal({sources[3], sources[4]}));
    EXPECT_FALSE(all_equal({sources[6], sources[8]}));
    EXPECT_THROW((void)all_equal({sources[0], url("nowhere")}), CompareError);
}

TEST_F(Urls, BesideADirectory) {
    std::vector<std::pair<std::string, SourceRef>> urls;
    for (int i = 0; i < 100; ++i) {
        const std::string name = "small" + std::to_string(i);
        (void)file(name, i % 10 == 3 ? "other" : random_bytes(1000));
        urls.emplace_back(name, url(name));
    }
    (void)directory.add_directory("below");
    (void)file("below/extra", "");
    urls.emplace_back("below", url("small1"));
    urls.emplace_back("below/nothing", url("small1"));
    (void)file("unreachable", "x");
    urls.emplace_back("unreachable", url("nowhere"));
    MirrorComparison comparison(pool, fs, directory.path(), std::move(urls), {});
    finish(comparison);
    const Differences& found = comparison.differences();
    EXPECT_EQ(found.only_left, std::vector<std::string>{"below/extra"});
    EXPECT_EQ(found.only_right, std::vector<std::string>{"below/nothing"});
    EXPECT_TRUE(found.errors.empty());
    std::map<DiffReason, int> reasons;
    for (const auto& [_, reason] : found.diff) ++reasons[reason];
    EXPECT_EQ(reasons[DiffReason::size_mismatch], 10);
    EXPECT_EQ(reasons[DiffReason::type_mismatch], 1);
    EXPECT_EQ(reasons[DiffReason::read_error], 1);
    EXPECT_EQ(found.diff.size(), 12U);
    EXPECT_LE(server.connections(), 64U);
}

TEST_F(Urls, OfArchivesWithAndWithoutRanges) {
    const auto compare = [&](const char* a, const char* b, bool hashed) {
        ArchiveComparison comparison(pool, fs, url(a), url(b), {.hash_compare = hashed});
        finish(comparison);
        return comparison.differences();
    };
    const char* const same[] = {"tar", "tar_without_length", "zip", "zip_without_ranges",
                                "zip_without_length"};
    for (const char* const a : same) {
        for (const char* const b : same) {
            EXPECT_TRUE(compare(a, b, false).equal()) << a << " " << b;
            EXPECT_TRUE(compare(a, b, true).equal()) << a << " " << b;
        }
        const Differences found = compare(a, "tar_of_other", false);
        ASSERT_EQ(found.diff.size(), 1U) << a;
        EXPECT_EQ(found.diff[0].first, "b");
    }
    EXPECT_THROW((void)compare("tar", "medium", false), CompareError);
    const auto kind_of = [&](const char* page) {
        SourceProbe probe(pool, fs, url(page));
        finish(probe);
        return probe.kind();
    };
    EXPECT_EQ(kind_of("zip"), SourceKind::archive);
    EXPECT_EQ(kind_of("tar_without_length"), SourceKind::archive);
    EXPECT_EQ(kind_of("medium"), SourceKind::file);
}

}  // namespace
}  // namespace filetree
