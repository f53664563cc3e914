// A journal read from its end.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "journal.hpp"
#include "support/temporary_directory.hpp"

namespace filetree::repair {
namespace {

using filetree::testing::TemporaryDirectory;

constexpr std::size_t block = std::size_t{1} << 20U;  // what is read at once

class Reading : public ::testing::Test {
   protected:
    void put(const std::string& content) const {
        std::ofstream(path, std::ios::binary) << content;
        ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
    }
    // From the last to the first, each checked against the place that the reader gives.
    [[nodiscard]] std::vector<std::string> lines(const std::string& content) const {
        put(content);
        JournalReader reader(path, false);
        std::vector<std::string> out;
        while (auto line = reader.previous()) {
            EXPECT_TRUE(content.substr(reader.offset(), line->size() + 1) == *line + "\n");
            out.push_back(std::move(*line));
        }
        EXPECT_FALSE(reader.previous());
        return out;
    }
    [[nodiscard]] int error_of_opening(bool trusted) const {
        try {
            const JournalReader reader(path, trusted);
            return 0;
        } catch (const SystemError& error) {
            EXPECT_EQ(error.path(), path);
            return error.error();
        }
    }

    TemporaryDirectory directory;
    const std::string path = directory / "journal";
};

using Lines = std::vector<std::string>;

TEST_F(Reading, ShortFiles) {
    EXPECT_EQ(lines(""), Lines{});
    EXPECT_EQ(lines("torn"), Lines{});
    EXPECT_EQ(lines("\n"), Lines{""});
    EXPECT_EQ(lines("\n\n"), (Lines{"", ""}));
    EXPECT_EQ(lines("a\n"), Lines{"a"});
    EXPECT_EQ(lines("a\ntorn"), Lines{"a"});
    EXPECT_EQ(lines("a\n\nb\n"), (Lines{"b", "", "a"}));
}

TEST_F(Reading, LinesAroundABlocksBorder) {
    for (std::size_t before = block - 3; before <= block + 3; ++before) {
        for (const std::size_t behind : {std::size_t{0}, std::size_t{1}, block - 1, block}) {
            const Lines expected{std::string(behind, 'b'), std::string(before, 'a')};
            EXPECT_TRUE(lines(expected[1] + "\n" + expected[0] + "\n") == expected)
                << before << " " << behind;
        }
    }
    EXPECT_TRUE(lines("a\n" + std::string(2 * block, 't')) == Lines{"a"}) << "torn";
}

TEST_F(Reading, SeveralMebibytesOfLinesOfAnyLength) {
    std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same each time
    for (int round = 0; round < 5; ++round) {
        Lines written;
        std::string content;
        while (content.size() < 7 * block) {
            const std::size_t length = random() % 10 == 0 ? random() % (3 * block) : random() % 90;
            written.emplace_back(length, static_cast<char>('a' + random() % 26));
            content += written.back() + "\n";
        }
        if (round % 2 == 0) content += "torn";
        std::reverse(written.begin(), written.end());
        EXPECT_TRUE(lines(content) == written);
    }
}

TEST_F(Reading, ALineLongerThanAnyPathIsAnError) {
    put("");
    ASSERT_EQ(::truncate(path.c_str(), 20 * static_cast<off_t>(block)), 0);
    EXPECT_EQ(error_of_opening(false), EINVAL);
    std::ofstream(path, std::ios::binary | std::ios::app) << "\n";
    JournalReader reader(path, false);
    EXPECT_THROW((void)reader.previous(), SystemError);
}

TEST_F(Reading, WhoeverTrustsItMustKnowThatItIsRoots) {
    EXPECT_EQ(error_of_opening(false), ENOENT);
    put("");
    for (const mode_t mode : {0620U, 0602U}) {
        ASSERT_EQ(::chmod(path.c_str(), mode), 0);
        EXPECT_EQ(error_of_opening(true), EPERM);
        EXPECT_EQ(error_of_opening(false), 0);
    }
    ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
    if (::geteuid() != 0) GTEST_SKIP() << "only root's journals are trusted";
    EXPECT_EQ(error_of_opening(true), 0);
    ASSERT_EQ(::chown(path.c_str(), 4001, 0), 0);
    EXPECT_EQ(error_of_opening(true), EPERM);
    EXPECT_EQ(error_of_opening(false), 0);
}

TEST_F(Reading, OnlyARegularFileIsRead) {
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    EXPECT_EQ(error_of_opening(false), EINVAL) << "without waiting for a writer";
    ::unlink(path.c_str());
    ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
    EXPECT_EQ(error_of_opening(false), EISDIR);
}

}  // namespace
}  // namespace filetree::repair
