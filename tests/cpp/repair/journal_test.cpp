// Lines of a journal, and the file that they are written to.

#include "journal.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <limits>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "support/file_size_limit.hpp"
#include "support/limits.hpp"
#include "support/temporary_directory.hpp"

namespace filetree::repair {
namespace {

using filetree::testing::content_of;
using filetree::testing::FileSizeLimit;
using filetree::testing::scaled;
using filetree::testing::TemporaryDirectory;

JournalLine line_of(std::string path) {
    JournalLine line;
    line.time = 1'700'000'000;
    line.path = std::move(path);
    line.device = 64769;
    line.inode = 4711;
    line.size = 42;
    line.mtime = -1'600'000'000'000'000'001;
    line.uid = 1000;
    line.old_gid = 1001;
    line.new_gid = 5;
    line.old_mode = 0600;
    line.new_mode = 02750;
    return line;
}

std::string text_of(const JournalLine& line) {
    std::string text;
    append_line(line, text);
    return text;
}

// Without its newline.
std::string body_of(const JournalLine& line) {
    std::string text = text_of(line);
    text.pop_back();
    return text;
}

void expect_same(const JournalLine& a, const JournalLine& b) {
    EXPECT_EQ(a.time, b.time);
    EXPECT_EQ(a.path, b.path);
    EXPECT_EQ(a.device, b.device);
    EXPECT_EQ(a.inode, b.inode);
    EXPECT_EQ(a.size, b.size);
    EXPECT_EQ(a.mtime, b.mtime);
    EXPECT_EQ(a.uid, b.uid);
    EXPECT_EQ(a.old_gid, b.old_gid);
    EXPECT_EQ(a.new_gid, b.new_gid);
    EXPECT_EQ(a.old_mode, b.old_mode);
    EXPECT_EQ(a.new_mode, b.new_mode);
}

int error_of_opening(const std::string& path) {
    try {
        const Journal journal(path);
        return 0;
    } catch (const SystemError& error) {
        EXPECT_EQ(error.path(), path);
        return error.error();
    }
}

// ---- Lines --------------------------------------------------------------------------------------

TEST(JournalLine, IsTheJsonThatTheHeaderDescribes) {
    EXPECT_EQ(text_of(line_of("/a \"b\\\n\x7F\xC3\xA9\xFF")),
              R"({"time": 1700000000, "path": "/a \"b\\\u000a\u007fé\udcff", "device": 64769, )"
              R"("inode": 4711, "size": 42, "mtime": -1600000000000000001, "uid": 1000, )"
              R"("old": {"gid": 1001, "mode": "0600"}, "new": {"gid": 5, "mode": "2750"}})"
              "\n");
}

TEST(JournalLine, IsReadAsItWasWritten) {
    JournalLine least = line_of("/");
    least.time = least.mtime = std::numeric_limits<std::int64_t>::min();
    least.device = least.inode = least.size = 0;
    least.uid = least.old_gid = least.new_gid = least.old_mode = least.new_mode = 0;
    JournalLine most = line_of("/x");
    most.time = most.mtime = std::numeric_limits<std::int64_t>::max();
    most.device = most.inode = most.size = std::numeric_limits<std::uint64_t>::max();
    most.uid = most.old_gid = most.new_gid = std::numeric_limits<std::uint32_t>::max();
    most.old_mode = most.new_mode = 07777;
    for (const JournalLine& line : {least, most, line_of("/a")}) {
        const auto parsed = parse_line(body_of(line));
        ASSERT_TRUE(parsed);
        expect_same(*parsed, line);
    }
}

TEST(JournalLine, APathOfAnyBytesIsReadAsItWasWritten) {
    std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same each time
    // Bytes that make up UTF-8, or nearly so, more often than by chance.
    const std::string_view often("\xC3\xA9\xED\xB2\x80\xF0\x9F\x98\x80\xE2\x82\xAC\"\\u/\n\x7F");
    for (std::size_t round = 0; round < scaled(20'000); ++round) {
        std::string path = "/";
        for (std::size_t i = random() % 30; i > 0; --i) {
            path.push_back(random() % 2 == 0 ? often[random() % often.size()]
                                             : static_cast<char>(1 + random() % 255));
        }
        const std::string text = body_of(line_of(path));
        ASSERT_EQ(text.find('\n'), std::string::npos);
        const auto parsed = parse_line(text);
        ASSERT_TRUE(parsed) << text;
        ASSERT_EQ(parsed->path, path);
    }
}

// Whatever is taken for a line is written just so.
void expect_canonical_or_refused(const std::string& text) {
    if (const auto parsed = parse_line(text)) {
        EXPECT_EQ(body_of(*parsed), text);
    }
}

TEST(JournalLine, AlteredAnywhereItIsRefusedOrAnotherProperLine) {
    const std::string text = body_of(line_of("/a\"\\\n\xC3\xA9\xFF\xED\xB2\x80z"));
    ASSERT_TRUE(parse_line(text));
    for (std::size_t at = 0; at <= text.size(); ++at) {
        EXPECT_FALSE(at < text.size() && parse_line(text.substr(0, at))) << at;
        EXPECT_FALSE(at > 0 && parse_line(text.substr(at))) << at;
        for (int byte = 0; byte < 256; ++byte) {
            std::string altered = text;
            altered.insert(at, 1, static_cast<char>(byte));
            expect_canonical_or_refused(altered);
            if (at == text.size()) continue;
            altered = text;
            altered[at] = static_cast<char>(byte);
            expect_canonical_or_refused(altered);
        }
        if (at == text.size()) continue;
        std::string shortened = text;
        expect_canonical_or_refused(shortened.erase(at, 1));
    }
}

TEST(JournalLine, OtherWaysToSayTheSameAreRefused) {
    const std::string text = body_of(line_of("/a\n"));
    const auto with = [&](std::string_view part, std::string_view instead) {
        const std::size_t at = text.find(part);
        EXPECT_NE(at, std::string::npos) << part;
        return std::string(text).replace(at, part.size(), instead);
    };
    EXPECT_TRUE(parse_line(with("/a", "/b")));
    const std::vector<std::string> others = {with("/a", "a"),
                                             with("/a", ""),
                                             with("/a", R"(/\u0061)"),
                                             with("/a", R"(\/a)"),
                                             with("/a", "/\\u00e9"),
                                             with("/a", "/\x7F"),
                                             with("000a", "000A"),
                                             with("\\u000a", "\\n"),
                                             with("\\u000a", R"(\u0000)"),
                                             with("000a", "dc80"),
                                             with("4711", "04711"),
                                             with("4711", "+4711"),
                                             with("4711", "4711.0"),
                                             with("1700", "-01700"),
                                             with("0600", "600"),
                                             with("0600", "00600"),
                                             with("0600", "0608"),
                                             with("2750", "10000"),
                                             with("1001", "4294967296"),
                                             with("4711", "18446744073709551616"),
                                             with(", ", ","),
                                             with("{", " {"),
                                             text + " ",
                                             "",
                                             "{}"};
    for (const std::string& other : others) {
        if (other == with("000a", "dc80")) continue;  // a byte of its own
        EXPECT_FALSE(parse_line(other)) << other;
    }
    EXPECT_FALSE(parse_line(with("\\u000a", R"(\udcc3\udca9)"))) << "would be UTF-8";
}

TEST(JournalLine, TimesTooFarAwayAreAsFarAsCanBeSaid) {
    EXPECT_EQ(nanoseconds_of({1, 5}), 1'000'000'005);
    EXPECT_EQ(nanoseconds_of({-1, 5}), -999'999'995);
    EXPECT_EQ(nanoseconds_of({9'000'000'000, 999'999'999}), 9'000'000'000'999'999'999);
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    EXPECT_GT(nanoseconds_of({most, 0}), 9'200'000'000'000'000'000);
    EXPECT_LT(nanoseconds_of({-most, 0}), -9'200'000'000'000'000'000);
}

// ---- The file -----------------------------------------------------------------------------------

class JournalFile : public ::testing::Test {
   protected:
    void put(const std::string& content) const {
        std::ofstream(path, std::ios::binary) << content;
        ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
    }

    TemporaryDirectory directory;
    const std::string path = directory / "journal";
    const std::string first = text_of(line_of("/first"));
    const std::string second = text_of(line_of("/second"));
};

TEST_F(JournalFile, IsCreatedForItsOwnerAloneAndGoneOnWith) {
    const mode_t before = ::umask(0);
    Journal(path).append(first);
    ::umask(before);
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
    Journal(path).append(second);
    EXPECT_EQ(content_of(path), first + second);
}

TEST_F(JournalFile, ALineCutOffAnywhereIsDropped) {
    for (std::size_t length = 0; length < second.size(); ++length) {
        put(first + second.substr(0, length));
        Journal(path).append(second);
        ASSERT_EQ(content_of(path), first + second) << length;
        put(second.substr(0, length));
        Journal(path).append(first);
        ASSERT_EQ(content_of(path), first) << length;
    }
}

TEST_F(JournalFile, ALongLineCutOffIsDropped) {
    const std::string longer = text_of(line_of("/" + std::string(3U << 20U, 'x')));
    for (const std::string& before : {std::string(), first, longer}) {
        for (const std::size_t length : {longer.size() - 1, std::size_t{1} << 20U}) {
            put(before + longer.substr(0, length));
            Journal(path).append(first);
            EXPECT_TRUE(content_of(path) == before + first) << before.size() << " " << length;
        }
    }
}

TEST_F(JournalFile, WhatIsNoJournalIsRefusedAndStaysAsItIs) {
    const std::vector<std::string> foreign = {
        "text",
        "\n",
        "\n" + first,
        "x" + first,
        "{\"name\": 1}\n",
        first + "text",
        first + "{\"other",
        "{\"time\": 5, \"event\": 1}\n",
        "{\"time\": 5, \"event\": 1}\n{\"time\": 6, \"eve",
        "{\"time\": 5, \"event\": 1}\n" + first,
        "{\"time\": 5}",
        "{\"time\": 5",
        std::string(100, '\0'),
        std::string(3U << 20U, 'x'),
        std::string(3U << 20U, 'x') + "\n" + first,
    };
    for (const std::string& content : foreign) {
        if (content == "{\"time\": 5") continue;  // this might be ours
        put(content);
        EXPECT_EQ(error_of_opening(path), EINVAL) << content.substr(0, 60);
        EXPECT_TRUE(content_of(path) == content) << content.substr(0, 60);
    }
}

TEST_F(JournalFile, OnlyARegularFileOfThisUserAloneWillDo) {
    put(first);
    std::filesystem::create_symlink(path, directory / "symlink");
    EXPECT_EQ(error_of_opening(directory / "symlink"), ELOOP);
    std::filesystem::create_symlink("nowhere", directory / "dangling");
    EXPECT_EQ(error_of_opening(directory / "dangling"), ELOOP);
    EXPECT_FALSE(std::filesystem::exists(directory / "nowhere"));
    EXPECT_EQ(error_of_opening(directory.path()), EISDIR);
    ASSERT_EQ(::mkfifo((directory / "fifo").c_str(), 0600), 0);
    EXPECT_EQ(error_of_opening(directory / "fifo"), EINVAL);
    EXPECT_EQ(error_of_opening("/dev/full"), EINVAL);
    EXPECT_EQ(error_of_opening(directory / "no/journal"), ENOENT);
    for (const mode_t mode : {0620U, 0602U, 0666U}) {
        ASSERT_EQ(::chmod(path.c_str(), mode), 0);
        EXPECT_EQ(error_of_opening(path), EPERM);
    }
    ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
    EXPECT_EQ(error_of_opening(path), 0) << "others may read it";
    std::filesystem::create_hard_link(path, directory / "link");
    EXPECT_EQ(error_of_opening(path), EPERM);
    EXPECT_EQ(content_of(path), first);
}

TEST_F(JournalFile, OfAnotherUserIsRefused) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
    put(first);
    ASSERT_EQ(::chown(path.c_str(), 4001, 0), 0);
    EXPECT_EQ(error_of_opening(path), EPERM);
}

// What looks torn to a second one may be a line that the first is about to finish.
TEST_F(JournalFile, HasOneWriterAtATime) {
    {
        Journal journal(path);
        EXPECT_EQ(error_of_opening(path), EBUSY);
        journal.append(first);
    }
    EXPECT_EQ(error_of_opening(path), 0);
    EXPECT_EQ(content_of(path), first);
}

TEST_F(JournalFile, ManyThreadsAppendWholeLines) {
    constexpr int threads = 8;
    const auto each = static_cast<int>(scaled(400));
    {
        Journal journal(path);
        std::vector<std::thread> writers;
        for (int t = 0; t < threads; ++t) {
            writers.emplace_back([&, t] {
                for (int i = 0; i < each; ++i) {
                    std::string lines;
                    const std::string name = "/" + std::to_string(t) + "/" + std::to_string(i);
                    append_line(line_of(name + "/a"), lines);
                    append_line(line_of(name + "/b"), lines);
                    journal.append(lines);
                    // It is there by now.
                    if (i % 50 == 0) {
                        ASSERT_NE(content_of(path).find(lines), std::string::npos);
                    }
                }
            });
        }
        for (std::thread& writer : writers) writer.join();
    }
    std::istringstream in(content_of(path));
    std::set<std::string> paths;
    for (std::string text; std::getline(in, text);) {
        const auto parsed = parse_line(text);
        ASSERT_TRUE(parsed) << text;
        ASSERT_TRUE(paths.insert(parsed->path).second) << text;
    }
    EXPECT_EQ(paths.size(), static_cast<std::size_t>(2 * threads * each));
}

// Also while other threads wait for the disk: nothing may follow a torn line.
TEST_F(JournalFile, OnceAWriteHasFailedNothingIsWrittenAnyMore) {
    // So few that the large line is the first that finds no room.
    constexpr int most = 1000;
    for (std::size_t round = 0; round < scaled(20, 4); ++round) {
        std::filesystem::remove(path);
        Journal journal(path);
        const FileSizeLimit limited(1U << 20U);
        std::atomic<bool> failed{false};
        std::atomic<bool> over{false};
        std::atomic<int> running{0};
        std::vector<std::thread> writers;
        for (int t = 0; t < 4; ++t) {
            writers.emplace_back([&] {
                try {
                    for (;;) {
                        journal.append(first);
                        ++running;
                        while (running.load() > most && !failed.load()) std::this_thread::yield();
                        if (over.load()) break;
                    }
                } catch (const SystemError&) {
                }
            });
        }
        while (running.load() < 8) std::this_thread::yield();
        const std::string large = text_of(line_of("/" + std::string(1U << 20U, 'x')));
        EXPECT_THROW(journal.append(large), SystemError);
        failed = true;
        limited.lift();
        over = true;
        for (std::thread& writer : writers) writer.join();
        EXPECT_THROW(journal.append(second), SystemError);
        const std::string content = content_of(path);
        const std::size_t torn = content.find("/xxx");
        ASSERT_NE(torn, std::string::npos);
        EXPECT_EQ(content.find('\n', torn), std::string::npos) << "something follows";
    }
}

TEST_F(JournalFile, AFullDiskIsAnErrorThatNamesTheJournal) {
    Journal journal(path);
    const FileSizeLimit limited(10);
    try {
        journal.append(first);
        FAIL() << "there is no room";
    } catch (const SystemError& error) {
        EXPECT_EQ(error.error(), EFBIG);
        EXPECT_EQ(error.path(), path);
    }
    limited.lift();
    EXPECT_THROW(journal.append(second), SystemError);
}

}  // namespace
}  // namespace filetree::repair
